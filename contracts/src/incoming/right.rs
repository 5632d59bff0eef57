//! Rights that were proven, at whichever door: what verbs ask for in place of a door's own proof.

use std::marker::PhantomData;

use plaza_kernel::{Caller, Permission, TenantId};
use plaza_web::{Granted, May, PlatformAdmin};

/// The right to do `P` inside one tenant. A route's proof gives it, and so does [`super::Asker::may`]; nothing else does.
///
/// ```compile_fail
/// use plaza_contracts::{incoming::TenantRight, permissions::CreateUsers};
/// // Its fields are private: nobody else can make one.
/// fn forged(tenant_id: plaza_kernel::TenantId) -> TenantRight<CreateUsers> {
///     TenantRight { tenant_id, person: None, permission: std::marker::PhantomData }
/// }
/// ```
#[derive(Debug)]
pub struct TenantRight<P: Permission> {
    tenant: TenantId,
    person: Option<Caller>,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> TenantRight<P> {
    pub(super) fn of_person(tenant: TenantId, person: Caller) -> Self {
        Self {
            tenant,
            person: Some(person),
            permission: PhantomData,
        }
    }

    pub(super) fn of_platform(tenant: TenantId) -> Self {
        Self {
            tenant,
            person: None,
            permission: PhantomData,
        }
    }

    /// Inside which tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whose right it is; the platform's own when nobody's.
    pub fn person(&self) -> Option<&Caller> {
        self.person.as_ref()
    }
}

impl<P: Permission> From<&Granted<May<P>>> for TenantRight<P> {
    fn from(granted: &Granted<May<P>>) -> Self {
        Self::of_person(granted.tenant(), granted.caller().clone())
    }
}

/// The right to run the platform. A route's proof gives it, and so does [`super::Asker::runs_platform`].
#[derive(Debug)]
pub struct PlatformRight(());

impl PlatformRight {
    pub(super) fn proven() -> Self {
        Self(())
    }
}

impl From<&Granted<PlatformAdmin>> for PlatformRight {
    fn from(_: &Granted<PlatformAdmin>) -> Self {
        Self::proven()
    }
}
