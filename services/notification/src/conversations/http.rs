//! Handlers of `/api/v1/notifications/conversations`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::ids::{ConversationId, MessageId, SenderId};
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{ReplyConversations, ViewConversations};
use plaza_kernel::Page;
use plaza_web::{
    ApiError, ApiErrors, Granted, Json, May, OnceJson, OnceParams, PageParams, Path, Query, answered,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Conversation, NoConversation, Said, store};
use crate::Notification;
use crate::messages::http::MessageView;

/// A person and a sender.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationView {
    /// Its id.
    id: ConversationId,
    /// The account that the person wrote to.
    sender_id: SenderId,
    /// `whatsapp`, `sms`.
    channel: String,
    /// The person's number, in E.164; absent where the provider tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The provider's id of the person for this business.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The name that the person goes by there.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// When the person wrote last.
    last_inbound_at: DateTime<Utc>,
    /// Until when the person can be answered freely.
    window_until: DateTime<Utc>,
    /// How much of what was written nobody has read yet.
    unread: i32,
    /// Somebody should read it: perhaps the person wants no more messages.
    needs_review: bool,
    /// Since when there is this conversation.
    created_at: DateTime<Utc>,
}

impl From<Conversation> for ConversationView {
    fn from(conversation: Conversation) -> Self {
        Self {
            id: conversation.id,
            sender_id: conversation.sender_id,
            channel: conversation.channel,
            address: conversation.address,
            user: conversation.user,
            name: conversation.name,
            last_inbound_at: conversation.last_inbound_at,
            window_until: conversation.window_until,
            unread: conversation.unread,
            needs_review: conversation.needs_review,
            created_at: conversation.created_at,
        }
    }
}

/// Something that was said in a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaidView {
    /// Its id.
    id: MessageId,
    /// in, out
    direction: &'static str,
    /// `text`, `image`, `button`, …
    kind: String,
    /// What it says, where it says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Where a message of ours is: queued, sent, delivered, read, failed, …
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// What a message of theirs asks for: stop, start, help, review.
    #[serde(skip_serializing_if = "Option::is_none")]
    keyword: Option<String>,
    /// Why a message of ours failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// When it was written.
    at: DateTime<Utc>,
}

impl From<Said> for SaidView {
    fn from(said: Said) -> Self {
        let (keyword, state) = if said.is_inbound {
            (said.state, None)
        } else {
            (None, said.state)
        };
        Self {
            id: said.id,
            direction: if said.is_inbound { "in" } else { "out" },
            kind: said.kind,
            text: said.body,
            state,
            keyword,
            error_code: said.error_code,
            at: said.at,
        }
    }
}

/// What a person is answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplyBody {
    /// 1 to 4,096 characters; 1,600 of a text message.
    #[schema(example = "We open at nine.")]
    text: String,
}

/// List conversations: who wrote last comes first.
#[utoipa::path(get, path = "/api/v1/notifications/conversations", tag = "conversations",
    operation_id = "list_conversations", params(PageParams),
    responses((status = 200, body = Page<ConversationView>), ApiErrors))]
pub(crate) async fn list_conversations(
    State(notification): State<Notification>,
    granted: Granted<May<ViewConversations>>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<ConversationView>>, ApiError> {
    let database = &notification.inner.database;
    let page = store::list(database, granted.tenant(), page.parse()?, page.skip()?).await?;
    Ok(Json(page.map(ConversationView::from)))
}

/// Get one conversation.
#[utoipa::path(get, path = "/api/v1/notifications/conversations/{id}", tag = "conversations",
    operation_id = "get_conversation", params(("id" = ConversationId, Path)),
    responses((status = 200, body = ConversationView), ApiErrors))]
pub(crate) async fn get_conversation(
    State(notification): State<Notification>,
    granted: Granted<May<ViewConversations>>,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationView>, ApiError> {
    let found = store::get(&notification.inner.database, granted.tenant(), id).await?;
    Ok(found
        .map(|conversation| Json(conversation.into()))
        .ok_or(NoConversation)?)
}

/// List what was said in a conversation, newest first.
#[utoipa::path(get, path = "/api/v1/notifications/conversations/{id}/messages", tag = "conversations",
    operation_id = "list_conversation_messages", params(("id" = ConversationId, Path), PageParams),
    responses((status = 200, body = Page<SaidView>), ApiErrors))]
pub(crate) async fn list_conversation_messages(
    State(notification): State<Notification>,
    granted: Granted<May<ViewConversations>>,
    Path(id): Path<ConversationId>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<SaidView>>, ApiError> {
    let (page, skip) = (page.parse()?, page.skip()?);
    let (database, tenant) = (&notification.inner.database, granted.tenant());
    store::get(database, tenant, id).await?.ok_or(NoConversation)?;
    let page = store::said(database, tenant, id, page, skip).await?;
    Ok(Json(page.map(SaidView::from)))
}

/// Answer the person of a conversation, within 24 hours after they wrote.
#[utoipa::path(post, path = "/api/v1/notifications/conversations/{id}/messages", tag = "conversations",
    operation_id = "reply_conversation", params(("id" = ConversationId, Path), OnceParams), request_body = ReplyBody,
    responses((status = 202, body = MessageView), ApiErrors))]
pub(crate) async fn reply_conversation(
    State(notification): State<Notification>,
    granted: Granted<May<ReplyConversations>>,
    Path(id): Path<ConversationId>,
    OnceJson(body, key): OnceJson<ReplyBody>,
) -> Result<Response, ApiError> {
    let right = TenantRight::from(&granted);
    let sent = notification.reply(&right, id, body.text, &key).await?;
    Ok(answered(StatusCode::ACCEPTED, sent))
}

/// Note that all of a conversation was read, and tell the person so.
#[utoipa::path(post, path = "/api/v1/notifications/conversations/{id}/read", tag = "conversations",
    operation_id = "read_conversation", params(("id" = ConversationId, Path)),
    responses((status = 200, body = ConversationView), ApiErrors))]
pub(crate) async fn read_conversation(
    State(notification): State<Notification>,
    granted: Granted<May<ReplyConversations>>,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationView>, ApiError> {
    let right = TenantRight::from(&granted);
    Ok(Json(notification.read_conversation(&right, id).await?.into()))
}
