//! Transactions by scope: the type says whose rows are seen, and store functions accept the type they need.

use std::ops::Deref;

use plaza_kernel::TenantId;

use crate::{DatabaseError, Params, Query, Transaction};

/// A transaction that sees the rows of one tenant.
pub struct TenantTx {
    inner: Transaction,
    tenant: TenantId,
}

impl TenantTx {
    pub(crate) fn new(inner: Transaction, tenant: TenantId) -> Self {
        Self { inner, tenant }
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// A transaction of the platform itself: it sees no tenant's rows.
pub struct PlatformTx {
    inner: Transaction,
}

impl PlatformTx {
    pub(crate) fn new(inner: Transaction) -> Self {
        Self { inner }
    }
}

/// A transaction of the service's system login: claiming, relaying, looking up across tenants where a policy lets it.
pub struct SystemTx {
    inner: Transaction,
}

impl SystemTx {
    pub(crate) fn new(inner: Transaction) -> Self {
        Self { inner }
    }
}

macro_rules! ends {
    ($($name:ident)*) => {$(
        impl $name {
            /// Makes its changes true. [`DatabaseError::NotCommitted`] if one of its statements failed.
            ///
            /// # Errors
            /// After [`DatabaseError::Unavailable`] nobody knows whether the changes are true.
            pub async fn commit(self) -> Result<(), DatabaseError> {
                self.inner.commit().await
            }

            /// Runs the last change and makes all true, in one flight. Says how many rows the change touched.
            ///
            /// # Errors
            /// If the change fails, nothing is true. After [`DatabaseError::Unavailable`] nobody knows.
            pub async fn execute_and_commit<P: Params>(
                self,
                query: &Query<P, ()>,
                params: P,
            ) -> Result<u64, DatabaseError> {
                self.inner.execute_and_commit(query, params).await
            }
        }

        impl Deref for $name {
            type Target = Transaction;

            fn deref(&self) -> &Transaction {
                &self.inner
            }
        }
    )*};
}

ends!(TenantTx PlatformTx SystemTx);
