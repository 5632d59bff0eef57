//! Who looks after a tenant.

use plaza_contracts::incoming::{Asker, BadCall, Refusal};
use plaza_kernel::{Caller, PermissionSet, TenantId, UserId};
use plaza_web::{Granted, OwnerOrPlatformAdmin, Rule};

use super::look_up::LookUpError;

/// The right to look after one tenant: its owner's, of who runs the platform, or of a service by itself. Whichever door it
/// was proven at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InCharge {
    tenant: TenantId,
    person: Option<UserId>,
    of_platform: bool,
}

impl InCharge {
    /// By the rule of a route.
    pub(crate) fn proven(
        granted: &Granted<OwnerOrPlatformAdmin>,
        tenant: TenantId,
    ) -> Result<Self, LookUpError> {
        Self::of(Some(granted.caller()), tenant)
    }

    /// Over gRPC.
    pub(crate) fn asked(asker: &Asker, tenant: TenantId) -> Result<Self, Refusal> {
        if let Some(person) = asker.person() {
            OwnerOrPlatformAdmin::decide(Some(person), &PermissionSet::none()).map_err(BadCall::from)?;
        }
        Ok(Self::of(asker.person(), tenant)?)
    }

    /// Another tenant's owner learns no more than from an id that does not exist.
    fn of(person: Option<&Caller>, tenant: TenantId) -> Result<Self, LookUpError> {
        let of_platform = person.is_none_or(Caller::is_platform_admin);
        let own = person.and_then(Caller::tenant) == Some(tenant);
        if !of_platform && !own {
            return Err(LookUpError::NotFound);
        }
        Ok(Self {
            tenant,
            person: person.map(|person| person.subject),
            of_platform,
        })
    }

    /// Of which tenant.
    pub(crate) fn tenant(self) -> TenantId {
        self.tenant
    }

    /// Whose right it is; nobody's for a service by itself.
    pub(crate) fn person(self) -> Option<UserId> {
        self.person
    }

    /// Whether it is the platform's, which decides more than owners do.
    pub(crate) fn of_platform(self) -> bool {
        self.of_platform
    }
}
