//! Whose data a piece of work may touch.

use uuid::Uuid;

/// An operator of Plaza: the unit of isolation.
///
/// The nil UUID is refused on every way in, so that a missing value can never be read as "no tenant" or
/// "every tenant". The platform itself is [`Scope::Platform`], never a `TenantId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Uuid);

/// The nil UUID was given where a tenant is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the nil UUID is not a tenant")]
pub struct NilTenant;

impl TenantId {
    /// A new tenant's id.
    pub fn generate(clock: &crate::Clock) -> Self {
        Self(clock.uuid())
    }

    /// The plain UUID, for the wire and the database.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl TryFrom<Uuid> for TenantId {
    type Error = NilTenant;

    fn try_from(uuid: Uuid) -> Result<Self, NilTenant> {
        if uuid.is_nil() {
            Err(NilTenant)
        } else {
            Ok(Self(uuid))
        }
    }
}

crate::typed_id!(@wire TenantId, TenantId::try_from);

/// Whose rows a transaction, an event or a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One tenant. The database filters every statement by it.
    Tenant(TenantId),
    /// The platform itself, apart from any tenant: rows of tenants are invisible.
    Platform,
}

impl Scope {
    /// The tenant, if the scope is one.
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Platform => None,
        }
    }
}

impl From<TenantId> for Scope {
    fn from(tenant: TenantId) -> Self {
        Self::Tenant(tenant)
    }
}

impl From<Option<TenantId>> for Scope {
    fn from(tenant: Option<TenantId>) -> Self {
        tenant.map_or(Self::Platform, Self::Tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_is_refused_on_every_way_in() {
        assert_eq!(TenantId::try_from(Uuid::nil()), Err(NilTenant));
        assert!(Uuid::nil().to_string().parse::<TenantId>().is_err());
        assert!(serde_json::from_value::<TenantId>(serde_json::json!(Uuid::nil())).is_err());
    }
}
