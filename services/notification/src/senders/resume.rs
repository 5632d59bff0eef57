//! Setting a stopped sender going again.

use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ManageSenders;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind};

use super::{NoSender, store};
use crate::{Notification, audit, dispatch};

/// Why a sender was not set going.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResumeSenderError {
    #[error(transparent)]
    NotFound(#[from] NoSender),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ResumeSenderError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl Notification {
    /// Sets a paused sender going again: what waits for it is sent.
    pub(crate) async fn resume_sender(
        &self,
        right: &TenantRight<ManageSenders>,
        id: SenderId,
    ) -> Result<(), ResumeSenderError> {
        let tx = self.inner.database.begin(right.tenant());
        if !store::resume(&tx, id, self.inner.clock.now()).await? {
            return Err(NoSender.into());
        }
        plaza_audit::done(&tx, &self.inner.clock, &audit::SENDER_RESUMED, id).await?;
        tx.signal_on_commit(dispatch::DUE);
        tx.commit().await?;
        Ok(())
    }
}
