//! Rounds over the tenants: however much work one of them has, it has one turn, and then the others have theirs. A weight
//! would be a number of turns.

use std::sync::{Mutex, PoisonError};

use plaza_kernel::TenantId;
use uuid::Uuid;

/// Where a round has come to: the tenant that had its turn last. Each process goes its own rounds.
#[derive(Debug, Default)]
pub(crate) struct Rotation(Mutex<Uuid>);

impl Rotation {
    /// The tenant after which to go on.
    pub(crate) fn after(&self) -> Uuid {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This tenant had its turn; none when the round is over.
    pub(crate) fn had(&self, tenant: Option<TenantId>) {
        let tenant = tenant.map(|tenant| tenant.as_uuid()).unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tenant;
    }
}

/// The rounds of this process.
#[derive(Debug, Default)]
pub(crate) struct Rotations {
    /// Over tenants with an import to be read.
    pub(crate) imports: Rotation,
    /// Over tenants with a campaign to be planned.
    pub(crate) planning: Rotation,
    /// Over tenants with a campaign of which notification is to be told something.
    pub(crate) moving: Rotation,
    /// Over tenants with a campaign whose time has come.
    pub(crate) beginning: Rotation,
    /// Over tenants with a running campaign to be looked at.
    pub(crate) running: Rotation,
}
