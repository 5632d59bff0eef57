//! The WhatsApp Cloud API: template messages.
//!
//! Shapes and codes as in Meta's Graph API reference for `/{phone-number-id}/messages`; the grouping of codes into
//! classes is ours.

mod answer;
mod request;

use plaza_contracts::events::MessageContent;
use plaza_telemetry::trace;
use secrecy::ExposeSecret;

use super::client::{ask, client};
use super::{Account, ErrorClass, Outgoing, Provider, SendFailure};
use crate::NotificationConfig;
use request::Request;

/// The adapter.
pub(crate) struct WhatsApp {
    client: reqwest::Client,
    origin: String,
    send_trace_context: bool,
}

impl WhatsApp {
    /// A client with the deadline of the settings.
    ///
    /// # Errors
    /// When no TLS provider is installed.
    pub(crate) fn new(config: &NotificationConfig) -> Result<Self, reqwest::Error> {
        let (base, version) = (
            config.whatsapp.base_url.trim_end_matches('/'),
            &config.whatsapp.version,
        );
        Ok(Self {
            client: client(config.provider_timeout())?,
            origin: format!("{base}/{version}"),
            send_trace_context: config.whatsapp.send_trace_context,
        })
    }
}

/// What a code means that was kept of a failure.
pub(super) fn class_of(code: &str) -> ErrorClass {
    answer::class_of(code)
}

impl Provider for WhatsApp {
    async fn send(&self, account: &Account, message: &Outgoing) -> Result<String, SendFailure> {
        let mut request = self
            .client
            .post(format!("{}/{}/messages", self.origin, account.id))
            .bearer_auth(account.token.expose_secret())
            .json(&Request::of(message));
        if self.send_trace_context
            && let Some(context) = trace::current()
        {
            request = request.header("traceparent", context.to_traceparent());
        }
        let (status, body) = ask(request).await?;
        match &message.content {
            _ if !(200..300).contains(&status) => Err(answer::refused(status, &body)),
            MessageContent::Read { provider_id } => answer::noted(&body, provider_id),
            _ => answer::accepted(&body),
        }
    }
}
