//! Handlers of `/api/v1/notifications/senders`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{ManageSenders, ViewSenders};
use plaza_kernel::Page;
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Path, Query};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create::NewSender;
use super::{NoSender, Sender, store};
use crate::Notification;

/// A WhatsApp sender to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSenderBody {
    /// Its name for people, unique in the tenant.
    name: String,
    /// Meta's id of the phone number.
    #[schema(example = "106540352242922")]
    phone_number_id: String,
    /// A token of the app that may send from it. Write-only.
    #[schema(value_type = String, write_only)]
    access_token: SecretString,
    /// Messages a second, 0 without limit; the platform's default unless given.
    rate: Option<u32>,
}

/// A sender's new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewTokenBody {
    /// A token of the app that may send from the account. Write-only.
    #[schema(value_type = String, write_only)]
    access_token: SecretString,
}

/// A sender.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SenderView {
    /// Its id.
    id: SenderId,
    /// `whatsapp`.
    channel: String,
    /// Its name for people.
    name: String,
    /// Meta's id of the phone number.
    phone_number_id: String,
    /// Messages a second, 0 without limit.
    rate: i32,
    /// `active`, `paused` or `needs_auth`.
    status: String,
    /// Why it is not active.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Sender> for SenderView {
    fn from(sender: Sender) -> Self {
        Self {
            id: sender.id,
            channel: sender.channel,
            name: sender.name,
            phone_number_id: sender.account_id,
            rate: sender.rate,
            status: sender.status,
            status_reason: sender.status_reason,
            created_at: sender.created_at,
        }
    }
}

/// List the tenant's senders, oldest first.
#[utoipa::path(get, path = "/api/v1/notifications/senders", tag = "senders", operation_id = "list_senders",
    params(PageParams), responses((status = 200, body = Page<SenderView>), ApiErrors))]
pub(crate) async fn list_senders(
    State(notification): State<Notification>,
    granted: Granted<May<ViewSenders>>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<SenderView>>, ApiError> {
    let page = store::list(
        &notification.inner.database,
        granted.tenant(),
        page.parse()?,
        page.skip()?,
    )
    .await?;
    Ok(Json(page.map(SenderView::from)))
}

/// Make a WhatsApp sender.
#[utoipa::path(post, path = "/api/v1/notifications/senders", tag = "senders", operation_id = "create_sender",
    request_body = CreateSenderBody, responses((status = 201, body = SenderView), ApiErrors))]
pub(crate) async fn create_sender(
    State(notification): State<Notification>,
    granted: Granted<May<ManageSenders>>,
    Json(body): Json<CreateSenderBody>,
) -> Result<(StatusCode, Json<SenderView>), ApiError> {
    let new = NewSender {
        name: body.name,
        account_id: body.phone_number_id,
        access_token: body.access_token,
        rate: body.rate,
    };
    let sender = notification
        .create_sender(&TenantRight::from(&granted), new)
        .await?;
    Ok((StatusCode::CREATED, Json(sender.into())))
}

/// Get one sender.
#[utoipa::path(get, path = "/api/v1/notifications/senders/{id}", tag = "senders", operation_id = "get_sender",
    params(("id" = SenderId, Path)), responses((status = 200, body = SenderView), ApiErrors))]
pub(crate) async fn get_sender(
    State(notification): State<Notification>,
    granted: Granted<May<ViewSenders>>,
    Path(id): Path<SenderId>,
) -> Result<Json<SenderView>, ApiError> {
    let found = store::get(&notification.inner.database, granted.tenant(), id).await?;
    Ok(found.map(|sender| Json(sender.into())).ok_or(NoSender)?)
}

/// Set a paused sender going again: what waits for it is sent.
#[utoipa::path(post, path = "/api/v1/notifications/senders/{id}/resume", tag = "senders",
    operation_id = "resume_sender", params(("id" = SenderId, Path)), responses((status = 204), ApiErrors))]
pub(crate) async fn resume_sender(
    State(notification): State<Notification>,
    granted: Granted<May<ManageSenders>>,
    Path(id): Path<SenderId>,
) -> Result<StatusCode, ApiError> {
    notification
        .resume_sender(&TenantRight::from(&granted), id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a sender a new access token. One that was stopped for its token goes on.
#[utoipa::path(put, path = "/api/v1/notifications/senders/{id}/access-token", tag = "senders",
    operation_id = "renew_sender_token", params(("id" = SenderId, Path)), request_body = RenewTokenBody,
    responses((status = 204), ApiErrors))]
pub(crate) async fn renew_sender_token(
    State(notification): State<Notification>,
    granted: Granted<May<ManageSenders>>,
    Path(id): Path<SenderId>,
    Json(body): Json<RenewTokenBody>,
) -> Result<StatusCode, ApiError> {
    let right = TenantRight::from(&granted);
    notification.renew_token(&right, id, &body.access_token).await?;
    Ok(StatusCode::NO_CONTENT)
}
