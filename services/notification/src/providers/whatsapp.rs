//! The WhatsApp Cloud API: template messages.
//!
//! Shapes and codes as in Meta's Graph API reference for `/{phone-number-id}/messages`; the grouping of codes into
//! classes is ours.

mod answer;
mod request;

use std::time::Duration;

use plaza_telemetry::trace;
use secrecy::ExposeSecret;

use super::{Account, Outgoing, Provider, SendFailure};
use crate::NotificationConfig;
use request::Request;

/// No answer of this API is longer.
const LONGEST_ANSWER: usize = 64 << 10;

/// The adapter.
pub(crate) struct WhatsApp {
    client: reqwest::Client,
    origin: String,
    send_trace_context: bool,
}

impl WhatsApp {
    /// A client with the deadline of the settings, no redirects and no proxies of the environment.
    ///
    /// # Errors
    /// When no TLS provider is installed.
    pub(crate) fn new(config: &NotificationConfig) -> Result<Self, reqwest::Error> {
        let timeout = config.provider_timeout();
        let client = reqwest::Client::builder()
            .timeout(timeout)
            // Shorter than the whole, so that a connection that cannot be made is known as one: then nothing left.
            .connect_timeout((timeout / 2).min(Duration::from_secs(3)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let (base, version) = (
            config.whatsapp.base_url.trim_end_matches('/'),
            &config.whatsapp.version,
        );
        Ok(Self {
            client,
            origin: format!("{base}/{version}"),
            send_trace_context: config.whatsapp.send_trace_context,
        })
    }
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
        let response = request.send().await.map_err(|error| not_answered(&error))?;
        let status = response.status();
        // The status line came, so the request arrived; without the body nobody knows what became of it.
        let body = read(response)
            .await
            .map_err(|error| SendFailure::Unknown(describe(&error)))?;
        if status.is_success() {
            answer::accepted(&body)
        } else {
            Err(answer::refused(status.as_u16(), &body))
        }
    }
}

/// The body, cut off where no honest answer goes on.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            break;
        }
    }
    Ok(body)
}

/// A connection that could not be made carried nothing; any other silence leaves the outcome open.
fn not_answered(error: &reqwest::Error) -> SendFailure {
    if error.is_connect() || error.is_builder() {
        SendFailure::NotSent(describe(error))
    } else {
        SendFailure::Unknown(describe(error))
    }
}

/// What happened, without the URL: it names the account.
fn describe(error: &reqwest::Error) -> String {
    if error.is_connect() {
        "no connection".to_owned()
    } else if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        "the connection broke".to_owned()
    }
}
