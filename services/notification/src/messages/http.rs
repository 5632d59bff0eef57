//! Handlers of `/api/v1/notifications/messages`.

use axum::extract::State as Service;
use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::permissions::ViewLogs;
use plaza_kernel::{Cursor, FieldError, Kind, Page};
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::store::{self, Filter};
use super::{Message, NoMessage, State};
use crate::Notification;

/// A message and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageView {
    /// Its id; the provider got it as our reference.
    id: MessageId,
    /// Who asked for it: `campaign:<id>`.
    source: String,
    /// The account it went out from.
    sender_id: SenderId,
    /// `whatsapp`.
    channel: String,
    /// To whom, in E.164.
    to: String,
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

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesParams {
    /// Only those of this source: `campaign:<id>`.
    source: Option<String>,
    /// Only those in this state.
    state: Option<String>,
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
    let after = page.cursor.map(Cursor::last_seen);
    let filter = Filter {
        after,
        skip,
        ..which.parse()?
    };
    let database = &notification.inner.database;
    let found = store::list(database, granted.tenant(), filter, page.limit.and_one()).await?;
    Ok(Json(
        Page::from_found(found, page.limit, |message| message.id).map(MessageView::from),
    ))
}

/// Get one message.
#[utoipa::path(get, path = "/api/v1/notifications/messages/{id}", tag = "messages", operation_id = "get_message",
    params(("id" = MessageId, Path)), responses((status = 200, body = MessageView), ApiErrors))]
pub(crate) async fn get_message(
    Service(notification): Service<Notification>,
    granted: Granted<May<ViewLogs>>,
    Path(id): Path<MessageId>,
) -> Result<Json<MessageView>, ApiError> {
    let found = store::get(&notification.inner.database, granted.tenant(), id).await?;
    Ok(found.map(|message| Json(message.into())).ok_or(NoMessage)?)
}

impl MessagesParams {
    fn parse(self) -> Result<Filter, ApiError> {
        let state =
            self.state
                .as_deref()
                .map(str::parse::<State>)
                .transpose()
                .map_err(|_| {
                    ApiError::new(Kind::Invalid, "INVALID_QUERY", "a parameter is not acceptable")
                        .with_fields(vec![FieldError::new(
                            "state",
                            "UNKNOWN_STATE",
                            "not a state of a message",
                        )])
                })?;
        Ok(Filter {
            source: self.source,
            state,
            ..Filter::default()
        })
    }
}
