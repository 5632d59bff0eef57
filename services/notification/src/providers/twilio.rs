//! Twilio's Programmable Messaging: text messages.
//!
//! Shapes as in Twilio's reference of the Message resource (`POST /2010-04-01/Accounts/{AccountSid}/Messages.json`), codes as
//! in its dictionary of errors; the grouping of codes into classes is ours. Twilio has no field for a reference of ours: it
//! stands in the address that it calls back, so that what it tells can be placed before our own commit.

mod answer;
mod request;

use secrecy::ExposeSecret;

use super::client::{ask, client};
use super::{Account, ErrorClass, Outgoing, Provider, SendFailure};
use crate::NotificationConfig;
use request::Request;

/// The adapter.
pub(crate) struct Twilio {
    client: reqwest::Client,
    origin: String,
    /// Where it calls us back.
    public_url: String,
}

impl Twilio {
    /// A client with the deadline of the settings.
    ///
    /// # Errors
    /// When no TLS provider is installed.
    pub(crate) fn new(config: &NotificationConfig) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: client(config.twilio_timeout())?,
            origin: config.twilio.base_url.trim_end_matches('/').to_owned(),
            public_url: config.public_url.trim_end_matches('/').to_owned(),
        })
    }
}

/// What a code means that was kept of a failure.
pub(super) fn class_of(code: &str) -> ErrorClass {
    answer::class_of(code)
}

/// What a code is about: callbacks carry the number alone.
pub(crate) fn words(code: &str) -> &'static str {
    answer::words(code)
}

impl Provider for Twilio {
    async fn send(&self, account: &Account, message: &Outgoing) -> Result<String, SendFailure> {
        let sid = &account.settings.account_sid;
        let form = Request::of(account, message, &self.public_url)?;
        let request = self
            .client
            .post(format!("{}/2010-04-01/Accounts/{sid}/Messages.json", self.origin))
            .basic_auth(sid, Some(account.token.expose_secret()))
            .form(&form);
        let (status, body) = ask(request).await?;
        if (200..300).contains(&status) {
            answer::accepted(&body)
        } else {
            Err(answer::refused(status, &body))
        }
    }
}
