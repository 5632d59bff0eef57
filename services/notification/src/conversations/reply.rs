//! Answering a person who wrote, and saying that it was read.

use plaza_contracts::events::{MessageContent, OutgoingMessage};
use plaza_contracts::ids::{ConversationId, MessageId};
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ReplyConversations;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Answer, Failure, FieldError, Kind, OnceKey};
use plaza_once::{Entry, OnceError};

use super::{Conversation, NoConversation, source, store};
use crate::messages::http::MessageView;
use crate::messages::single::{QueueOneError, SendError};
use crate::messages::{SERVICE, outgoing};
use crate::senders::WHATSAPP;
use crate::{Notification, suppressions};

/// What the source of a note that something was read begins with. Nobody is written to by it.
pub(crate) const READ_NOTICE: &str = "read:";

/// Why somebody is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplyError {
    #[error(transparent)]
    NotFound(#[from] NoConversation),
    #[error("the text is not acceptable")]
    Unacceptable,
    #[error("the person has no number that could be written to")]
    NoAddress,
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<DatabaseError> for ReplyError {
    fn from(error: DatabaseError) -> Self {
        Self::Send(error.into())
    }
}

impl From<OnceError> for ReplyError {
    fn from(error: OnceError) -> Self {
        Self::Send(error.into())
    }
}

impl From<QueueOneError> for ReplyError {
    fn from(error: QueueOneError) -> Self {
        Self::Send(error.into())
    }
}

impl Failure for ReplyError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(error) => error.kind(),
            Self::Unacceptable => Kind::Invalid,
            Self::NoAddress => Kind::Conflict,
            Self::Send(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(error) => error.code(),
            Self::Unacceptable => "INVALID_MESSAGE",
            Self::NoAddress => "NO_ADDRESS",
            Self::Send(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Unacceptable => vec![FieldError::new("/text", "INVALID_VALUE", self.to_string())],
            Self::Send(error) => error.fields(),
            Self::NotFound(_) | Self::NoAddress => Vec::new(),
        }
    }
}

impl Notification {
    /// Answers a person, as long as anything may be written to them.
    pub(crate) async fn reply(
        &self,
        right: &TenantRight<ReplyConversations>,
        id: ConversationId,
        text: String,
        key: &OnceKey,
    ) -> Result<Answer<MessageView>, ReplyError> {
        let tx = self.inner.database.begin(right.tenant());
        let entry = match right.person() {
            Some(person) => plaza_once::enter(&tx, key, person.subject, "reply_conversation").await?,
            None => Entry::None,
        };
        if let Entry::Replay { status, body } = entry {
            return Ok(Answer::Replayed { status, body });
        }
        let conversation = store::lock(&tx, id).await?.ok_or(NoConversation)?;
        let view = self.answer(&tx, &conversation, text).await?;
        entry.leave(&tx, 202, &view).await?;
        tx.commit().await?;
        Ok(Answer::New(view))
    }

    async fn answer(
        &self,
        tx: &TenantTx,
        conversation: &Conversation,
        text: String,
    ) -> Result<MessageView, ReplyError> {
        let content = MessageContent::Text {
            body: text,
            preview_url: false,
            reply_to: None,
        };
        if outgoing::problem_of_content(&conversation.channel, &content).is_some() {
            return Err(ReplyError::Unacceptable);
        }
        let is_closed = conversation.window_until <= self.inner.clock.now();
        if is_closed && conversation.channel == WHATSAPP {
            return Err(SendError::WindowClosed.into());
        }
        let address = conversation.address.as_deref().ok_or(ReplyError::NoAddress)?;
        if suppressions::store::stands(tx, &conversation.channel, address, None).await? {
            return Err(SendError::Suppressed.into());
        }
        let message = self.to_person(conversation, address, content);
        let source = source(conversation.id);
        let sent = self
            .queue_one(tx, (&source, conversation.sender_id), &message)
            .await?;
        store::seen(tx, conversation.id).await?;
        Ok(sent.into())
    }

    /// Notes that somebody has read all of a conversation, and has the person told so.
    pub(crate) async fn read_conversation(
        &self,
        right: &TenantRight<ReplyConversations>,
        id: ConversationId,
    ) -> Result<Conversation, ReplyError> {
        let tx = self.inner.database.begin(right.tenant());
        let mut conversation = store::lock(&tx, id).await?.ok_or(NoConversation)?;
        let last = store::last_written(&tx, id).await?;
        if let (true, Some(address), Some(provider_id)) = (
            conversation.unread > 0 && conversation.channel == WHATSAPP,
            conversation.address.as_deref(),
            last,
        ) {
            let message = self.to_person(&conversation, address, MessageContent::Read { provider_id });
            let source = format!("{READ_NOTICE}{id}");
            self.queue_one(&tx, (&source, conversation.sender_id), &message)
                .await?;
        }
        store::seen(&tx, id).await?;
        tx.commit().await?;
        (conversation.unread, conversation.needs_review) = (0, false);
        Ok(conversation)
    }

    fn to_person(
        &self,
        conversation: &Conversation,
        address: &str,
        content: MessageContent,
    ) -> OutgoingMessage {
        OutgoingMessage {
            message_id: MessageId::generate(&self.inner.clock),
            channel: conversation.channel.clone(),
            to: address.to_owned(),
            content,
            class: Some(SERVICE.to_owned()),
            zone: None,
            expires_at: None,
        }
    }
}
