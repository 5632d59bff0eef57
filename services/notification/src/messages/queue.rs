//! Queueing messages that somebody asked for: by an event, or by a call.

use plaza_contracts::events::{BroadcastSend, OutgoingMessage};
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx, violated};
use plaza_kernel::{Failure, FieldError, Kind};

use super::{outgoing, store};
use crate::{Notification, dispatch};

/// Messages that go out from one sender and are counted together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Who asks for them: `campaign:<id>`.
    pub(crate) source: String,
    pub(crate) sender: SenderId,
    /// 1 to 500.
    pub(crate) messages: Vec<OutgoingMessage>,
}

impl From<BroadcastSend> for Batch {
    fn from(event: BroadcastSend) -> Self {
        Self {
            source: format!("campaign:{}", event.campaign_id),
            sender: event.sender_id,
            messages: event.messages,
        }
    }
}

/// Why a batch was not queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    /// This field of the batch, or of one of its messages.
    #[error("`{0}` is not acceptable")]
    Unacceptable(&'static str),
    #[error("the tenant has no such sender")]
    NoSender,
    #[error("a message of another source has this id")]
    IdTaken,
    #[error("a message's content cannot be written as JSON")]
    Content(#[from] serde_json::Error),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl QueueError {
    /// Whether the same batch will never be queued.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unacceptable(_) | Self::NoSender | Self::IdTaken | Self::Content(_) => true,
            Self::Database(error) => matches!(error, DatabaseError::Constraint { .. }),
        }
    }
}

impl Failure for QueueError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unacceptable(_) => Kind::Invalid,
            Self::NoSender => Kind::NotFound,
            Self::IdTaken => Kind::Conflict,
            Self::Content(_) => Kind::Internal,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unacceptable(_) => "INVALID_REQUEST",
            Self::NoSender => "SENDER_NOT_FOUND",
            Self::IdTaken => "MESSAGE_ID_TAKEN",
            Self::Content(_) => "INTERNAL_ERROR",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Unacceptable(field) => {
                vec![FieldError::new(
                    format!("/{field}"),
                    "INVALID_VALUE",
                    self.to_string(),
                )]
            }
            _ => Vec::new(),
        }
    }
}

impl Notification {
    /// Queues all messages of a batch, or none. Those of it that are there already stay as they are; how many are new.
    pub(crate) async fn queue(&self, tx: &TenantTx, batch: &Batch) -> Result<u64, QueueError> {
        if let Some(field) = outgoing::problem(&batch.messages) {
            return Err(QueueError::Unacceptable(field));
        }
        let queued = store::queue(tx, batch, self.inner.clock.now())
            .await
            .map_err(|error| match &error {
                QueueError::Database(database) if violated(database) == Some("messages_sender_fkey") => {
                    QueueError::NoSender
                }
                _ => error,
            })?;
        let all = u64::try_from(batch.messages.len()).is_ok_and(|count| count == queued);
        if !all && store::is_of_other_source(tx, batch).await? {
            return Err(QueueError::IdTaken);
        }
        tx.signal_on_commit(dispatch::DUE);
        Ok(queued)
    }
}
