//! Removing a recipient.

use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};

use super::{NoRecipient, store};
use crate::{Broadcast, RecipientId, audit};

/// Why a recipient was not removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoveError {
    #[error(transparent)]
    NotFound(#[from] NoRecipient),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for RemoveError {
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

impl Broadcast {
    /// Removes a recipient. What was planned for them stays planned.
    pub(crate) async fn delete_recipient(
        &self,
        tenant: TenantId,
        id: RecipientId,
    ) -> Result<(), RemoveError> {
        let tx = self.database.begin(tenant);
        let found = store::delete(&tx, id).await?;
        if found {
            plaza_audit::done(&tx, &self.clock, &audit::RECIPIENT_DELETED, id).await?;
        }
        tx.commit().await?;
        if found { Ok(()) } else { Err(NoRecipient.into()) }
    }
}
