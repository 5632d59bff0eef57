//! `/dev/inbox`: the mails of a laptop, where no mail server is. Whoever looks at it can use the links in them, so it exists
//! where the settings say so, for who sits at this machine, and for nobody else.

mod page;

use axum::extract::{FromRequestParts, State as Service};
use axum::response::{Html, IntoResponse};
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::uri::Authority;
use plaza_contracts::edge::ClientAddress;
use plaza_kernel::{Caller, PermissionSet};
use plaza_vault::VaultError;
use plaza_web::{ApiError, ApiErrors, Denied, Granted, Json, Path, Query, Rule, RuleText};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{BODIES, Body, Mail, MailId, NoMail, store};
use crate::Notification;

/// So many mails are shown, the newest.
const SHOWN: i64 = 100;

/// Who sits at the machine of a developer. The handler checks, by [`AtThisMachine`]: it depends on the settings.
pub(crate) struct Development;

impl Rule for Development {
    fn text() -> RuleText {
        RuleText {
            text: "development".to_owned(),
            authenticated: false,
        }
    }

    fn decide(_: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        Ok(())
    }
}

/// Proof that the inbox is open, and that who asks sits at this machine and knows it: the connection is from here, and the
/// host that was asked for is this machine's. A name of somewhere else that leads here may be a tunnel's, or a page's of a
/// stranger.
pub(crate) struct AtThisMachine(());

impl FromRequestParts<Notification> for AtThisMachine {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, notification: &Notification) -> Result<Self, ApiError> {
        let client = parts.extensions.get::<ClientAddress>();
        let is_here = client.is_some_and(|client| client.0.to_canonical().is_loopback());
        let is_open = notification.inner.config.mail.inbox;
        if is_open && is_here && asks_for_here(parts) {
            Ok(Self(()))
        } else {
            Err(ApiError::nothing_here())
        }
    }
}

fn asks_for_here(parts: &Parts) -> bool {
    let header = || parts.headers.get(http::header::HOST)?.to_str().ok()?.parse().ok();
    let asked: Option<Authority> = parts.uri.authority().cloned().or_else(header);
    asked.is_some_and(|asked| {
        let host = asked.host().trim_start_matches('[').trim_end_matches(']');
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost"
            || host.ends_with(".localhost")
            || address.is_ok_and(|address| address.is_loopback())
    })
}

/// Which mails are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxQuery {
    /// Only those to this address.
    to: Option<String>,
}

/// Mails, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InboxView {
    /// At most 100.
    items: Vec<MailView>,
}

/// A mail.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MailView {
    /// Its id.
    id: MailId,
    /// To whom.
    to: String,
    /// From whom, where it says another name than the settings.
    #[serde(skip_serializing_if = "String::is_empty")]
    from_name: String,
    /// `verify`, `reset`, `password_changed`, `invitation`, `owner_link`.
    template: String,
    /// Its subject.
    subject: String,
    /// `kept`, or what became of it at a mail server: `queued`, `leased`, `sent`, `failed`.
    state: String,
    /// How often a server refused it for now.
    attempts: i32,
    /// Why it is not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// What it says; not there any more once a server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The same as a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// The mails of this laptop, as a page.
#[utoipa::path(get, path = "/dev/inbox", tag = "development", operation_id = "inbox_page",
    responses((status = 200, description = "A page", content_type = "text/html", body = String), ApiErrors))]
pub(crate) async fn inbox_page(
    Service(notification): Service<Notification>,
    _granted: Granted<Development>,
    _here: AtThisMachine,
) -> Result<impl IntoResponse, ApiError> {
    let mails = notification.inbox(None).await?;
    let elsewhere = notification.simulated_messages();
    Ok((page::headers(), Html(page::html(&mails, elsewhere.as_deref()))))
}

/// List the mails of this laptop, newest first.
#[utoipa::path(get, path = "/dev/inbox/mails", tag = "development", operation_id = "list_inbox", params(InboxQuery),
    responses((status = 200, body = InboxView), ApiErrors))]
pub(crate) async fn list_inbox(
    Service(notification): Service<Notification>,
    _granted: Granted<Development>,
    _here: AtThisMachine,
    Query(query): Query<InboxQuery>,
) -> Result<Json<InboxView>, ApiError> {
    let items = notification.inbox(query.to).await?;
    Ok(Json(InboxView { items }))
}

/// Get one of them.
#[utoipa::path(get, path = "/dev/inbox/mails/{id}", tag = "development", operation_id = "get_inbox_mail",
    params(("id" = MailId, Path)), responses((status = 200, body = MailView), ApiErrors))]
pub(crate) async fn get_inbox_mail(
    Service(notification): Service<Notification>,
    _granted: Granted<Development>,
    _here: AtThisMachine,
    Path(id): Path<MailId>,
) -> Result<Json<MailView>, ApiError> {
    let found = store::get(&notification.inner.database, id).await?;
    Ok(Json(notification.opened(found.ok_or(NoMail)?).await))
}

impl Notification {
    async fn inbox(&self, to: Option<String>) -> Result<Vec<MailView>, ApiError> {
        let mails = store::list(&self.inner.database, to, SHOWN).await?;
        let mut shown = Vec::with_capacity(mails.len());
        for mail in mails {
            shown.push(self.opened(mail).await);
        }
        Ok(shown)
    }

    async fn opened(&self, mail: Mail) -> MailView {
        let body = self.body_of(&mail).await;
        let (text, html) = body.map(|body| (body.text, body.html)).unzip();
        MailView {
            id: mail.id,
            to: mail.recipient,
            from_name: mail.from_name,
            template: mail.template,
            subject: mail.subject,
            state: mail.state,
            attempts: mail.attempts,
            error: mail.error_text,
            created_at: mail.created_at,
            text,
            html,
        }
    }

    async fn body_of(&self, mail: &Mail) -> Option<Body> {
        let sealed = mail.sealed.as_deref()?;
        let id = mail.id.to_string();
        let opened = self.inner.vault.open(mail.scope, &BODIES, &id, sealed).await;
        let opened = opened.inspect_err(|error: &VaultError| {
            tracing::warn!(mail = %mail.id, error = error as &dyn std::error::Error, "mail does not open");
        });
        serde_json::from_slice(opened.ok()?.expose_secret()).ok()
    }

    /// Where the other messages of a laptop are to be seen.
    fn simulated_messages(&self) -> Option<String> {
        let config = &self.inner.config;
        let base = config.whatsapp.base_url.trim_end_matches('/');
        config
            .development_sender
            .then(|| format!("{base}/_simulator/messages"))
    }
}
