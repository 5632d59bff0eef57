//! Handlers of `/api/v1/notifications/senders`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{ManageSenders, ViewSenders};
use plaza_kernel::{FieldError, Page};
use plaza_web::{
    ApiError, ApiErrors, Granted, Json, May, OnceJson, OnceParams, PageParams, Path, Query, answered,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create::{CreateSenderError, NewSender};
use super::{NewAccount, NoSender, SMS, Sender, is_messaging_service, store};
use crate::Notification;

/// How a sender reaches people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SenderChannel {
    /// WhatsApp, by Meta's Cloud API.
    #[default]
    Whatsapp,
    /// Text messages, by Twilio.
    Sms,
}

/// A sender to be made: of WhatsApp (`phone_number_id` and `access_token`), or of text messages (`account_sid`, `auth_token`,
/// and either `from` or `messaging_service_sid`).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSenderBody {
    /// `whatsapp` unless given.
    #[serde(default)]
    channel: SenderChannel,
    /// Its name for people, unique in the tenant.
    name: String,
    /// WhatsApp: Meta's id of the phone number.
    #[schema(example = "106540352242922")]
    phone_number_id: Option<String>,
    /// WhatsApp: a token of the app that may send from it. Write-only.
    #[schema(value_type = Option<String>, write_only)]
    access_token: Option<SecretString>,
    /// Text messages: Twilio's id of the account.
    account_sid: Option<String>,
    /// Text messages: the account's token. Write-only.
    #[schema(value_type = Option<String>, write_only)]
    auth_token: Option<SecretString>,
    /// Text messages: the number that they come from, in E.164, a short code or a word.
    #[schema(example = "+15005550006")]
    from: Option<String>,
    /// Text messages: the service that chooses the number.
    messaging_service_sid: Option<String>,
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
    /// `whatsapp`, `sms`.
    channel: String,
    /// Its name for people.
    name: String,
    /// WhatsApp: Meta's id of the phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<String>,
    /// Text messages: Twilio's id of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_sid: Option<String>,
    /// Text messages: what they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Text messages: the service that chooses the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_service_sid: Option<String>,
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

impl CreateSenderBody {
    /// What is missing is named by the verb, as what is wrong is: an empty value is neither.
    fn sender(self) -> Result<NewSender, ApiError> {
        let no_token = || SecretString::from(String::new());
        let (account, access_token) = match self.channel {
            SenderChannel::Whatsapp => {
                let stray = [
                    ("account_sid", self.account_sid.is_some()),
                    ("auth_token", self.auth_token.is_some()),
                    ("from", self.from.is_some()),
                    ("messaging_service_sid", self.messaging_service_sid.is_some()),
                ];
                refuse(&stray)?;
                let phone_number_id = self.phone_number_id.unwrap_or_default();
                (NewAccount::WhatsApp { phone_number_id }, self.access_token)
            }
            SenderChannel::Sms => {
                let stray = [
                    ("phone_number_id", self.phone_number_id.is_some()),
                    ("access_token", self.access_token.is_some()),
                ];
                refuse(&stray)?;
                let account = NewAccount::Sms {
                    account_sid: self.account_sid.unwrap_or_default(),
                    from: self.from,
                    messaging_service_sid: self.messaging_service_sid,
                };
                (account, self.auth_token)
            }
        };
        Ok(NewSender {
            name: self.name,
            account,
            access_token: access_token.unwrap_or_else(no_token),
            rate: self.rate,
        })
    }
}

/// What belongs to a sender of another channel is a mistake, and not passed over.
fn refuse(stray: &[(&str, bool)]) -> Result<(), CreateSenderError> {
    let wrong = stray.iter().filter(|(_, there)| *there);
    let wrong: Vec<_> = wrong
        .map(|(name, _)| FieldError::new(format!("/{name}"), "OTHER_CHANNEL", "is for the other channel"))
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(CreateSenderError::Invalid(wrong))
    }
}

impl From<Sender> for SenderView {
    fn from(sender: Sender) -> Self {
        let is_sms = sender.channel == SMS;
        let is_service = is_messaging_service(&sender.account_id);
        let account = |wanted: bool| wanted.then(|| sender.account_id.clone());
        Self {
            id: sender.id,
            phone_number_id: account(!is_sms),
            from: account(is_sms && !is_service),
            messaging_service_sid: account(is_sms && is_service),
            account_sid: is_sms.then_some(sender.settings.account_sid),
            channel: sender.channel,
            name: sender.name,
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

/// Make a sender.
#[utoipa::path(post, path = "/api/v1/notifications/senders", tag = "senders", operation_id = "create_sender",
    params(OnceParams), request_body = CreateSenderBody, responses((status = 201, body = SenderView), ApiErrors))]
pub(crate) async fn create_sender(
    State(notification): State<Notification>,
    granted: Granted<May<ManageSenders>>,
    OnceJson(body, key): OnceJson<CreateSenderBody>,
) -> Result<Response, ApiError> {
    let asked = (granted.caller().subject, &key);
    let made = notification
        .create_sender_once(&TenantRight::from(&granted), body.sender()?, asked)
        .await?;
    Ok(answered(StatusCode::CREATED, made))
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
