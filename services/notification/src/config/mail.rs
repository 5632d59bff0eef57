//! Settings of mails.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Through which server mails go out, and as whose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// The mail server: `smtps://host` (TLS from the start), `smtp+starttls://host` (TLS or nothing), `smtp://host` (plain
    /// text). Ports are 465, 587 and 25 unless named. Without it nothing leaves the machine: mails are kept.
    pub url: Option<String>,
    /// Who logs in to it; nobody unless given.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<SecretString>,
    /// Who mails are from: an address, or a name and an address in angle brackets.
    pub from: String,
    /// The name that the server is greeted with; the host of `from` unless given.
    pub hello: Option<String>,
    /// A file with further authorities (PEM) that the server's certificate may be signed by.
    pub authorities: Option<PathBuf>,
    /// Allows plain text to other machines. Mails carry links that let people in.
    pub allow_remote_plaintext: bool,
    /// How long the server may take to answer one command. Milliseconds.
    pub timeout_milliseconds: u64,
    /// Connections to the server at the same time.
    pub connections: usize,
    /// The first delay after a refusal that may pass; doubled each time, ±20 %, an hour at the most. Milliseconds.
    pub retry_milliseconds: u64,
    /// How often a mail is refused for now before it has failed for good.
    pub attempts: u32,
    /// How often mails are looked for when nobody says that there is one. Milliseconds.
    pub poll_milliseconds: u64,
    /// Whether mails can be looked at under `/dev/inbox`, from this machine alone. For laptops: whoever sits at the machine
    /// can use the links in them.
    pub inbox: bool,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            url: None,
            username: None,
            password: None,
            from: "Plaza <no-reply@localhost>".to_owned(),
            hello: None,
            authorities: None,
            allow_remote_plaintext: false,
            timeout_milliseconds: 30_000,
            connections: 2,
            retry_milliseconds: 5_000,
            attempts: 10,
            poll_milliseconds: 1_000,
            inbox: false,
        }
    }
}

impl MailConfig {
    /// An empty text is none.
    pub(crate) fn forget_empty(&mut self) {
        self.url.take_if(|url| url.trim().is_empty());
        self.username.take_if(|name| name.is_empty());
        self.password
            .take_if(|password| password.expose_secret().is_empty());
    }

    /// How long one command may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_milliseconds.clamp(1, 600_000))
    }

    /// How long a claim on a mail holds: longer than the longest conversation with a server, which has eight steps (the
    /// connection, its greeting, TLS, the login, and four about the mail).
    pub(crate) fn lease(&self) -> Duration {
        self.timeout() * 10 + Duration::from_secs(1)
    }

    /// The pause between two looks for mails.
    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_milliseconds.max(10))
    }
}
