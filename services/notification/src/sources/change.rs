//! Holding the messages of a source back, letting them go again, calling them off.

use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, Kind, TenantId};

use super::{Standing, store};
use crate::dispatch::plans;
use crate::{Notification, dispatch};

/// Why a source does not stand as was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("the messages of this source were called off")]
    Cancelled,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ChangeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Cancelled => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Cancelled => "SOURCE_CANCELLED",
            Self::Database(error) => error.code(),
        }
    }
}

/// A part of the messages of a source that something was done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) messages: u64,
    /// Whether there may be more of them.
    pub(crate) more: bool,
}

impl Notification {
    /// Nothing of a source is claimed any more until it is released. Held again, it has another reason.
    pub(crate) async fn hold(&self, tenant: TenantId, source: &str, reason: &str) -> Result<(), ChangeError> {
        self.stand(tenant, source, Standing::Held, Some(reason)).await
    }

    /// Lets the messages of a source go again.
    pub(crate) async fn release(&self, tenant: TenantId, source: &str) -> Result<(), ChangeError> {
        self.stand(tenant, source, Standing::Active, None).await
    }

    /// Calls a source off, and some of its messages. From the commit of the first of the two on none is claimed.
    pub(crate) async fn call_off(&self, tenant: TenantId, source: &str) -> Result<Part, ChangeError> {
        self.stand(tenant, source, Standing::Cancelled, None).await?;
        plaza_telemetry::crash::point("sources.changed");
        let tx = self.inner.database.begin(tenant);
        plans::anew(&tx).await?;
        let part = store::call_off_some(&tx, source).await?;
        tx.commit().await?;
        Ok(part)
    }

    async fn stand(
        &self,
        tenant: TenantId,
        source: &str,
        next: Standing,
        reason: Option<&str>,
    ) -> Result<(), ChangeError> {
        let tx = self.inner.database.begin(tenant);
        self.stand_in(&tx, source, next, reason).await?;
        Ok(tx.commit().await?)
    }

    /// Brings a source to a standing, in a transaction that may do more than this. Its row is locked before any of its
    /// messages is, here and everywhere, so that two who change both never wait for each other in a circle.
    pub(crate) async fn stand_in(
        &self,
        tx: &TenantTx,
        source: &str,
        next: Standing,
        reason: Option<&str>,
    ) -> Result<(), ChangeError> {
        let now = self.inner.clock.now();
        let before = store::lock(tx, source, now).await?;
        if !before.may_become(next) {
            return Err(ChangeError::Cancelled);
        }
        if before != next {
            store::change(tx, source, next, reason, now).await?;
            tx.signal_on_commit(dispatch::MOVED);
        } else if let Some(reason) = reason {
            store::explain(tx, source, reason).await?;
        }
        Ok(())
    }
}
