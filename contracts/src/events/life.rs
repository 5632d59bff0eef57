//! What becomes of tenants and their members.

use chrono::{DateTime, Utc};
use plaza_kernel::{Event, OrderKey, SystemRole, TenantId, UserId};
use serde::{Deserialize, Serialize};

/// A tenant was suspended, let in again, or is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStateChanged {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The state before: `active`, `suspended`, `deleting`.
    pub from: String,
    /// The state now; `deleted` besides.
    pub to: String,
    /// Since when.
    pub at: DateTime<Utc>,
    /// When it will be deleted, unless it is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<DateTime<Utc>>,
}

impl Event for TenantStateChanged {
    const NAME: &'static str = "tenancy.tenant.state_changed";

    fn order_key(&self) -> OrderKey {
        self.tenant_id.as_uuid().into()
    }
}

/// A tenant is gone for good; its slug is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantDeleted {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The name it had in hosts and URLs.
    pub slug: String,
}

impl Event for TenantDeleted {
    const NAME: &'static str = "tenancy.tenant.deleted";

    fn order_key(&self) -> OrderKey {
        self.tenant_id.as_uuid().into()
    }
}

/// A tenant configured something anew. Of two with one namespace the one with the larger version stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChanged {
    /// The tenant.
    pub tenant_id: TenantId,
    /// `messaging`, `branding`, …
    pub namespace: String,
    /// Rises with every change of the namespace.
    pub version: u64,
    /// All of it, never with a secret.
    pub document: serde_json::Value,
}

impl Event for ConfigChanged {
    const NAME: &'static str = "tenancy.config.changed";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(format!("{}:{}", self.tenant_id, self.namespace))
    }
}

/// A member of a tenant owns it from now on, or does so no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRoleChanged {
    /// The user.
    pub user_id: UserId,
    /// The coarse role in the tenant now.
    pub role: SystemRole,
}

impl Event for MemberRoleChanged {
    const NAME: &'static str = "identity.member.role_changed";

    fn order_key(&self) -> OrderKey {
        self.user_id.as_uuid().into()
    }
}

/// A user is no member of the tenant any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRemoved {
    /// The user.
    pub user_id: UserId,
}

impl Event for MemberRemoved {
    const NAME: &'static str = "identity.member.removed";

    // The same as of `user.registered`: who comes back comes after having gone.
    fn order_key(&self) -> OrderKey {
        self.user_id.as_uuid().into()
    }
}
