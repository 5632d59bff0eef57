//! Sending one message to one person, because a person asked for it.

use plaza_contracts::events::{MessageContent, OutgoingMessage};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::SendMessages;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Answer, Failure, FieldError, Kind, OnceKey};
use plaza_once::{Entry, OnceError};

use super::http::MessageView;
use super::queue::Queued;
use super::{Message, State, outgoing, store};
use crate::senders::{NoSender, WHATSAPP};
use crate::sources::Standing;
use crate::{Notification, conversations, dispatch, senders, suppressions, terms};

/// A message to be sent.
#[derive(Debug, Clone)]
pub(crate) struct NewMessage {
    /// None for the tenant's oldest active sender of the channel.
    pub(crate) sender: Option<SenderId>,
    pub(crate) channel: String,
    /// In E.164.
    pub(crate) to: String,
    pub(crate) content: MessageContent,
    /// marketing, utility, authentication; none for not marketing.
    pub(crate) class: Option<String>,
}

/// Why a message is not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// This field of it.
    #[error("`{0}` is not acceptable")]
    Unacceptable(&'static str),
    #[error(transparent)]
    NoSender(#[from] NoSender),
    #[error("the address must not be written to")]
    Suppressed,
    #[error("the person has not written within 24 hours: only a template is taken")]
    WindowClosed,
    #[error("the content cannot be written as JSON")]
    Content(#[from] serde_json::Error),
    #[error(transparent)]
    Once(#[from] OnceError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for SendError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unacceptable(_) => Kind::Invalid,
            Self::NoSender(error) => error.kind(),
            Self::Suppressed | Self::WindowClosed => Kind::Conflict,
            Self::Content(_) => Kind::Internal,
            Self::Once(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unacceptable(_) => "INVALID_MESSAGE",
            Self::NoSender(error) => error.code(),
            Self::Suppressed => "SUPPRESSED",
            Self::WindowClosed => "WINDOW_CLOSED",
            Self::Content(_) => "INTERNAL_ERROR",
            Self::Once(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Unacceptable(field) => {
                let pointer = format!("/{field}");
                vec![FieldError::new(pointer, "INVALID_VALUE", self.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

impl Notification {
    /// Queues one message. Whoever must not be written to is not; free text only goes to whom it may.
    pub(crate) async fn send_message(
        &self,
        right: &TenantRight<SendMessages>,
        new: NewMessage,
        key: &OnceKey,
    ) -> Result<Answer<MessageView>, SendError> {
        let tx = self.inner.database.begin(right.tenant());
        let entry = match right.person() {
            Some(person) => plaza_once::enter(&tx, key, person.subject, "send_message").await?,
            None => Entry::None,
        };
        if let Entry::Replay { status, body } = entry {
            return Ok(Answer::Replayed { status, body });
        }
        let view = MessageView::from(self.queue_single(&tx, new).await?);
        entry.leave(&tx, 202, &view).await?;
        tx.commit().await?;
        Ok(Answer::New(view))
    }

    async fn queue_single(&self, tx: &TenantTx, new: NewMessage) -> Result<Message, SendError> {
        let message = OutgoingMessage {
            message_id: MessageId::generate(&self.inner.clock),
            channel: new.channel,
            to: new.to,
            content: new.content,
            class: new.class,
            zone: None,
            expires_at: None,
        };
        if let Some(field) = outgoing::problem_of(&message) {
            return Err(SendError::Unacceptable(field));
        }
        let found = senders::store::for_channel(tx, &message.channel, new.sender).await?;
        let (sender, channel) = found.ok_or(NoSender)?;
        if channel != message.channel {
            return Err(SendError::Unacceptable("channel"));
        }
        self.check_person(tx, sender, &message).await?;
        let source = format!("message:{}", message.message_id);
        Ok(self.queue_one(tx, (&source, sender), &message).await?)
    }

    /// Whether the person may be written to, and like this.
    async fn check_person(
        &self,
        tx: &TenantTx,
        sender: SenderId,
        message: &OutgoingMessage,
    ) -> Result<(), SendError> {
        let (channel, to) = (&message.channel, &message.to);
        if suppressions::store::stands(tx, channel, to, message.class.as_deref()).await? {
            return Err(SendError::Suppressed);
        }
        let is_free = matches!(message.content, MessageContent::Text { .. }) && channel == WHATSAPP;
        let now = self.inner.clock.now();
        if is_free && !conversations::store::is_open_to(tx, sender, to, now).await? {
            return Err(SendError::WindowClosed);
        }
        Ok(())
    }

    /// Queues a message of a source of its own.
    pub(crate) async fn queue_one(
        &self,
        tx: &TenantTx,
        (source, sender): (&str, SenderId),
        message: &OutgoingMessage,
    ) -> Result<Message, QueueOneError> {
        let now = self.inner.clock.now();
        let terms = terms::store::of(tx).await?;
        let queued = Queued::of(message, &terms, now)?;
        let kept = Message {
            id: queued.id,
            source: source.to_owned(),
            sender_id: sender,
            channel: queued.channel.clone(),
            address: queued.address.clone(),
            class: queued.class.clone(),
            segments: queued.segments,
            state: State::Queued,
            provider_id: None,
            error_code: None,
            error_text: None,
            attempts: 0,
            created_at: now,
            updated_at: now,
        };
        store::queue(tx, (source, sender, Standing::Active), vec![queued], now).await?;
        tx.signal_on_commit(dispatch::DUE);
        Ok(kept)
    }
}

/// Why a message that is acceptable was not queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueOneError {
    #[error("the content cannot be written as JSON")]
    Content(#[from] serde_json::Error),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl From<QueueOneError> for SendError {
    fn from(error: QueueOneError) -> Self {
        match error {
            QueueOneError::Content(error) => Self::Content(error),
            QueueOneError::Database(error) => Self::Database(error),
        }
    }
}

impl Failure for QueueOneError {
    fn kind(&self) -> Kind {
        match self {
            Self::Content(_) => Kind::Internal,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Content(_) => "INTERNAL_ERROR",
            Self::Database(error) => error.code(),
        }
    }
}
