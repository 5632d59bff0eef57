//! A transaction of a tenant or of the platform, for verbs that serve both.

use std::ops::Deref;

use plaza_database::{Database, DatabaseError, Params, PlatformTx, Query, Row, TenantTx, Transaction};
use plaza_kernel::Scope;

/// A transaction of whichever scope.
pub(crate) enum ScopedTx {
    /// Of a tenant.
    Tenant(TenantTx),
    /// Of the platform.
    Platform(PlatformTx),
}

impl ScopedTx {
    /// Begins one.
    pub(crate) fn begin(database: &Database, scope: Scope) -> Self {
        match scope {
            Scope::Tenant(tenant) => Self::Tenant(database.begin(tenant)),
            Scope::Platform => Self::Platform(database.begin_platform()),
        }
    }

    /// Makes its changes true.
    pub(crate) async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Tenant(tx) => tx.commit().await,
            Self::Platform(tx) => tx.commit().await,
        }
    }
}

impl Deref for ScopedTx {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        match self {
            Self::Tenant(tx) => tx,
            Self::Platform(tx) => tx,
        }
    }
}

/// One read of whichever scope, through the read door.
pub(crate) async fn read<P: Params, T: Row>(
    database: &Database,
    scope: Scope,
    query: &Query<P, T>,
    params: P,
) -> Result<Vec<T>, DatabaseError> {
    match scope {
        Scope::Tenant(tenant) => database.read(tenant, query, params).await,
        Scope::Platform => database.read_platform(query, params).await,
    }
}
