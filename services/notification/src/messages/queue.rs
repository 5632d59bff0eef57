//! Queueing messages that somebody asked for: by an event, or by a call.

use chrono::{DateTime, Utc};
use plaza_contracts::events::{BroadcastSend, MessageContent, NotificationRequested, OutgoingMessage};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::sms;
use plaza_database::{DatabaseError, TenantTx, violated};
use plaza_kernel::{Failure, FieldError, Kind};

use super::{MARKETING, outgoing, store};
use crate::senders::{SMS, WHATSAPP};
use crate::terms::{self, Terms};
use crate::{Notification, dispatch, senders, sources, windows};

/// Messages that go out from one sender and are counted together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Who asks for them: `campaign:<id>`.
    pub(crate) source: String,
    /// None for the tenant's default of the messages' channel.
    pub(crate) sender: Option<SenderId>,
    /// 1 to 500.
    pub(crate) messages: Vec<OutgoingMessage>,
}

impl From<BroadcastSend> for Batch {
    fn from(event: BroadcastSend) -> Self {
        Self {
            source: format!("campaign:{}", event.campaign_id),
            sender: Some(event.sender_id),
            messages: event.messages,
        }
    }
}

impl From<NotificationRequested> for Batch {
    fn from(event: NotificationRequested) -> Self {
        Self {
            source: event.source,
            sender: event.sender_id,
            messages: event.messages,
        }
    }
}

/// A message as it is kept.
pub(crate) struct Queued {
    pub(crate) id: MessageId,
    pub(crate) channel: String,
    pub(crate) address: String,
    /// JSON.
    pub(crate) content: String,
    pub(crate) class: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// When it is due; none for now.
    pub(crate) not_before: Option<DateTime<Utc>>,
    pub(crate) segments: Option<i32>,
    /// Why it is failed already, in words.
    pub(crate) problem: Option<String>,
}

impl Queued {
    /// A message by the tenant's terms.
    pub(crate) fn of(
        message: &OutgoingMessage,
        terms: &Terms,
        now: DateTime<Utc>,
    ) -> Result<Self, serde_json::Error> {
        let is_marketing = message.class.as_deref() == Some(MARKETING);
        let wait = || windows::wait(terms, message.zone.as_deref(), &message.to, now);
        Ok(Self {
            id: message.message_id,
            channel: message.channel.clone(),
            address: message.to.clone(),
            content: serde_json::to_string(&message.content)?,
            class: message.class.clone(),
            zone: message.zone.clone(),
            expires_at: message.expires_at,
            not_before: is_marketing.then(wait).flatten(),
            segments: segments(&message.channel, &message.content),
            problem: None,
        })
    }

    /// A message that no provider would take because of this field, as far as it can be kept.
    fn failed(message: &OutgoingMessage, channel: &str, field: &str) -> Result<Self, serde_json::Error> {
        let shown = message.to.chars().filter(|c| !c.is_control());
        Ok(Self {
            id: message.message_id,
            channel: channel.to_owned(),
            address: shown.take(ADDRESS).collect(),
            content: serde_json::to_string(&message.content)?,
            class: None,
            zone: None,
            expires_at: None,
            not_before: None,
            segments: None,
            problem: Some(format!("`{field}` is not acceptable")),
        })
    }
}

/// How much is kept of an address that is none.
const ADDRESS: usize = 40;

/// In how many parts a text message goes out.
fn segments(channel: &str, content: &MessageContent) -> Option<i32> {
    match content {
        MessageContent::Text { body, .. } if channel == SMS => i32::try_from(sms::segments(body).count).ok(),
        _ => None,
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
    /// Queues all messages of a batch, or none. Those of it that are there already stay as they are; how many are new. Of a
    /// source that is held they wait with the others, of one that is called off they are too.
    pub(crate) async fn queue(&self, tx: &TenantTx, batch: &Batch) -> Result<u64, QueueError> {
        match batch.messages.iter().find_map(outgoing::problem_of) {
            Some(field) => Err(QueueError::Unacceptable(field)),
            None => self.queue_each(tx, batch, Unfit::Refused).await,
        }
    }

    /// The same for whoever does not hear that something is refused: a message that is not acceptable is there and has
    /// failed, and keeps no other one from being queued.
    pub(crate) async fn queue_what_fits(&self, tx: &TenantTx, batch: &Batch) -> Result<u64, QueueError> {
        self.queue_each(tx, batch, Unfit::Failed).await
    }

    async fn queue_each(&self, tx: &TenantTx, batch: &Batch, unfit: Unfit) -> Result<u64, QueueError> {
        if !outgoing::is_batch(&batch.messages) {
            return Err(QueueError::Unacceptable("messages"));
        }
        let now = self.inner.clock.now();
        let (sender, channel) = sender_of(tx, batch).await?;
        let (standing, terms) = tokio::join!(
            biased;
            sources::store::share(tx, &batch.source, now),
            terms::store::of(tx)
        );
        let (standing, terms) = (standing?, terms?);
        let mut messages = Vec::with_capacity(batch.messages.len());
        for message in &batch.messages {
            messages.push(match (problem_at(message, &channel), unfit) {
                (None, _) => Queued::of(message, &terms, now)?,
                (Some(field), Unfit::Failed) => Queued::failed(message, &channel, field)?,
                (Some(field), Unfit::Refused) => return Err(QueueError::Unacceptable(field)),
            });
        }
        let unacceptable = messages
            .iter()
            .filter(|message| message.problem.is_some())
            .count();
        if unacceptable > 0 {
            tracing::warn!(
                source = batch.source,
                unacceptable,
                "messages failed as they came"
            );
        }
        let queued = store::queue(tx, (&batch.source, sender, standing), messages, now)
            .await
            .map_err(|error| match violated(&error) {
                Some("messages_sender_fkey") => QueueError::NoSender,
                _ => error.into(),
            })?;
        let all = u64::try_from(batch.messages.len()).is_ok_and(|count| count == queued);
        if !all && store::is_of_other_source(tx, batch).await? {
            return Err(QueueError::IdTaken);
        }
        tx.signal_on_commit(dispatch::DUE);
        Ok(queued)
    }
}

/// What becomes of a message that is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    /// Nothing of its batch is queued.
    Refused,
    /// It alone fails.
    Failed,
}

/// The sender of a batch and its channel, which has to be that of every message.
async fn sender_of(tx: &TenantTx, batch: &Batch) -> Result<(SenderId, String), QueueError> {
    let mut channels = batch.messages.iter().map(|message| message.channel.as_str());
    let known = |channel: &&str| [WHATSAPP, SMS].contains(channel);
    let channel = channels.find(known).unwrap_or_default();
    let found = senders::store::for_channel(tx, channel, batch.sender).await?;
    found.ok_or(QueueError::NoSender)
}

/// The field of a message that a sender of this channel cannot send, if there is one.
fn problem_at(message: &OutgoingMessage, channel: &str) -> Option<&'static str> {
    outgoing::problem_of(message).or_else(|| (message.channel != channel).then_some("channel"))
}
