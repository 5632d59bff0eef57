//! Who asks, in tests.

use plaza_kernel::{Caller, Clock, SessionId, SystemRole, TenantId, UserId};

/// A tenant nobody else has.
pub fn tenant() -> TenantId {
    TenantId::generate(&Clock::system())
}

/// An owner of the tenant; another person each time.
pub fn owner(tenant: TenantId) -> Caller {
    caller(Some(tenant), SystemRole::Owner)
}

/// A member of the tenant; another person each time.
pub fn member(tenant: TenantId) -> Caller {
    caller(Some(tenant), SystemRole::Member)
}

/// Somebody who runs the platform.
pub fn platform_admin() -> Caller {
    caller(None, SystemRole::PlatformAdmin)
}

fn caller(scope: Option<TenantId>, role: SystemRole) -> Caller {
    let clock = Clock::system();
    Caller {
        scope,
        subject: UserId::generate(&clock),
        session: SessionId::generate(&clock),
        role,
    }
}
