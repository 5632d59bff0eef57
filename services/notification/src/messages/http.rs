//! Handlers of `/api/v1/notifications/messages`.

use axum::extract::State as Service;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::events::MessageContent;
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{SendMessages, ViewLogs};
use plaza_kernel::{Cursor, FieldError, Kind, Page};
use plaza_web::{
    ApiError, ApiErrors, Granted, Json, May, OnceJson, OnceParams, PageParams, Path, Query, answered,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::filter::Filter;
use super::history::History;
use super::listing;
use super::single::{NewMessage, SendError};
use super::{Message, NoMessage, State};
use crate::Notification;
use crate::receipts::store::Kept;
use crate::senders::is_channel;
use crate::suppressions::is_e164;

/// A message and what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MessageView {
    /// Its id; the provider got it as our reference.
    id: MessageId,
    /// Who asked for it: `campaign:<id>`.
    source: String,
    /// The account it went out from.
    sender_id: SenderId,
    /// `whatsapp`, `sms`.
    channel: String,
    /// To whom, in E.164.
    to: String,
    /// marketing, utility, authentication; service for a reply, confirmation for the answer to a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// In how many parts a text message goes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<i32>,
    /// Where it is: queued, leased, unknown, accepted, sent, failed, delivered, read, skipped, expired, cancelled.
    state: String,
    /// The provider's id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    /// The provider's code of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// What the provider said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_text: Option<String>,
    /// How often it was tried.
    attempts: i32,
    /// When it was queued.
    created_at: DateTime<Utc>,
    /// When its state changed last.
    updated_at: DateTime<Utc>,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            source: message.source,
            sender_id: message.sender_id,
            channel: message.channel,
            to: message.address,
            class: message.class,
            segments: message.segments,
            state: message.state.to_string(),
            provider_id: message.provider_id,
            error_code: message.error_code,
            error_text: message.error_text,
            attempts: message.attempts,
            created_at: message.created_at,
            updated_at: message.updated_at,
        }
    }
}

/// A message, what the provider told of it, and why it did not arrive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageHistoryView {
    #[serde(flatten)]
    message: MessageView,
    /// What the provider told, in the order in which it came.
    receipts: Vec<ReceiptView>,
    /// Why it did not arrive, or has not left, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// A fact that the provider told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiptView {
    /// The provider's id of the message: another one each time it was sent.
    provider_id: String,
    /// sent, delivered, read, failed
    status: String,
    /// The provider's code, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// When, by the provider's clock.
    at: DateTime<Utc>,
    /// When we were told.
    received_at: DateTime<Utc>,
}

impl From<Kept> for ReceiptView {
    fn from(kept: Kept) -> Self {
        Self {
            provider_id: kept.provider_id,
            status: kept.status,
            error_code: kept.error_code,
            at: kept.at,
            received_at: kept.received_at,
        }
    }
}

impl From<History> for MessageHistoryView {
    fn from(history: History) -> Self {
        Self {
            message: history.message.into(),
            receipts: history.receipts.into_iter().map(ReceiptView::from).collect(),
            why: history.why,
        }
    }
}

/// A message to be sent: a template, or a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendBody {
    /// The account it goes out from; the tenant's oldest active one of the channel unless told.
    sender_id: Option<SenderId>,
    /// `whatsapp`, `sms`.
    #[schema(example = "whatsapp")]
    channel: String,
    /// To whom, in E.164.
    #[schema(example = "+4915117404120")]
    to: String,
    /// What is sent: this template of the provider's …
    template: Option<TemplateBody>,
    /// … or this text, to somebody who wrote to the sender within 24 hours; over `sms` to anybody.
    text: Option<String>,
    /// marketing, utility, authentication. Not marketing unless told.
    class: Option<String>,
}

/// A template that the provider knows, with its values.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateBody {
    /// The provider's name of it.
    #[schema(example = "order_update_v1")]
    name: String,
    /// In which language.
    #[schema(example = "en_US")]
    language: String,
    /// The values of `{{1}}`, `{{2}}`, … of its body.
    #[serde(default)]
    body: Vec<String>,
}

impl TryFrom<SendBody> for NewMessage {
    type Error = SendError;

    fn try_from(body: SendBody) -> Result<Self, SendError> {
        let content = match (body.template, body.text) {
            (Some(template), None) => MessageContent::Template {
                name: template.name,
                language: template.language,
                body: template.body,
                header: None,
                buttons: Vec::new(),
            },
            (None, Some(text)) => MessageContent::Text {
                body: text,
                preview_url: false,
                reply_to: None,
            },
            (None, None) => return Err(SendError::Unacceptable("template")),
            (Some(_), Some(_)) => return Err(SendError::Unacceptable("text")),
        };
        Ok(Self {
            sender: body.sender_id,
            channel: body.channel,
            to: body.to,
            content,
            class: body.class,
        })
    }
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesParams {
    /// Only those of this source: `campaign:<id>`.
    source: Option<String>,
    /// Only those in this state.
    state: Option<String>,
    /// Only those to this number, in E.164, in any of its spellings: of the last 30 days, unless `from` or `source` is named.
    address: Option<String>,
    /// Only those with this failure.
    error_code: Option<String>,
    /// Only those on this channel: of the last 30 days, as with `address`, unless `error_code` is named too.
    channel: Option<String>,
    /// Only those that were asked for then or later, RFC 3339.
    from: Option<DateTime<Utc>>,
    /// Only those that were asked for before then, RFC 3339.
    to: Option<DateTime<Utc>>,
}

/// Send one message.
#[utoipa::path(post, path = "/api/v1/notifications/messages", tag = "messages", operation_id = "send_message",
    params(OnceParams), request_body = SendBody, responses((status = 202, body = MessageView), ApiErrors))]
pub(crate) async fn send_message(
    Service(notification): Service<Notification>,
    granted: Granted<May<SendMessages>>,
    OnceJson(body, key): OnceJson<SendBody>,
) -> Result<Response, ApiError> {
    let right = TenantRight::from(&granted);
    let sent = notification.send_message(&right, body.try_into()?, &key).await?;
    Ok(answered(StatusCode::ACCEPTED, sent))
}

/// List messages, newest first.
#[utoipa::path(get, path = "/api/v1/notifications/messages", tag = "messages", operation_id = "list_messages",
    params(MessagesParams, PageParams), responses((status = 200, body = Page<MessageView>), ApiErrors))]
pub(crate) async fn list_messages(
    Service(notification): Service<Notification>,
    granted: Granted<May<ViewLogs>>,
    Query(which): Query<MessagesParams>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<MessageView>>, ApiError> {
    let (page, skip) = (page.parse()?, page.skip()?);
    let filter = Filter {
        after: page.cursor.map(Cursor::last_seen),
        skip,
        ..which.parse(notification.inner.clock.now())?
    };
    let database = &notification.inner.database;
    let found = listing::list(database, granted.tenant(), filter, page.limit.and_one()).await?;
    Ok(Json(
        Page::from_found(found, page.limit, |message| message.id).map(MessageView::from),
    ))
}

/// Get one message, with what the provider told of it and why it did not arrive.
#[utoipa::path(get, path = "/api/v1/notifications/messages/{id}", tag = "messages", operation_id = "get_message",
    params(("id" = MessageId, Path)), responses((status = 200, body = MessageHistoryView), ApiErrors))]
pub(crate) async fn get_message(
    Service(notification): Service<Notification>,
    granted: Granted<May<ViewLogs>>,
    Path(id): Path<MessageId>,
) -> Result<Json<MessageHistoryView>, ApiError> {
    let found = notification.history(granted.tenant(), id).await?;
    Ok(found.map(|history| Json(history.into())).ok_or(NoMessage)?)
}

impl MessagesParams {
    fn parse(self, now: DateTime<Utc>) -> Result<Filter, ApiError> {
        let state = self.state.as_deref().map(str::parse::<State>).transpose();
        let state = state.map_err(|_| refused("state", "UNKNOWN_STATE", "not a state of a message"))?;
        if self.address.as_deref().is_some_and(|address| !is_e164(address)) {
            return Err(refused("address", "NOT_E164", "a plus and 7 to 15 digits"));
        }
        if self
            .channel
            .as_deref()
            .is_some_and(|channel| !is_channel(channel))
        {
            return Err(refused("channel", "UNKNOWN_CHANNEL", "whatsapp or sms"));
        }
        let filter = Filter {
            source: self.source,
            state,
            address: self.address,
            error_code: self.error_code,
            channel: self.channel,
            from: self.from,
            to: self.to,
            ..Filter::default()
        };
        Ok(filter.lately(now))
    }
}

fn refused(parameter: &str, code: &str, text: &str) -> ApiError {
    ApiError::new(Kind::Invalid, "INVALID_QUERY", "a parameter is not acceptable")
        .with_fields(vec![FieldError::new(parameter, code, text)])
}
