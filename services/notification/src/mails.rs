//! Mails: what Plaza writes to people about their accounts. Asked for by other services, sent by a worker of each process.
//!
//! A mail is a row before anything is sent: whoever asks has its id kept, or nothing. What it says is sealed, because there
//! are links in it that let people in, and is gone once a server has it. It may arrive twice (a server that took it and did
//! not say so), and then under one Message-ID.
//!
//! Read `send.rs` first, then `worker.rs`.

pub(crate) mod housekeeping;
pub(crate) mod http;
mod outcome;
pub(crate) mod send;
mod store;
pub(crate) mod templates;
pub(crate) mod worker;

use chrono::{DateTime, Utc};
use plaza_kernel::{Failure, Kind, Scope};
use serde::{Deserialize, Serialize};

plaza_kernel::typed_id!(
    /// A mail. Whoever asks for it names it.
    MailId
);

/// What a mail says, as it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) text: String,
    pub(crate) html: String,
}

/// A mail as somebody at this machine looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) id: MailId,
    pub(crate) scope: Scope,
    pub(crate) recipient: String,
    pub(crate) from_name: String,
    pub(crate) template: String,
    pub(crate) subject: String,
    pub(crate) state: String,
    pub(crate) attempts: i32,
    pub(crate) error_text: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    /// What it says, sealed. None once it is sent.
    pub(crate) sealed: Option<String>,
}

/// There is no such mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this mail does not exist")]
pub(crate) struct NoMail;

impl Failure for NoMail {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "MAIL_NOT_FOUND"
    }
}

plaza_vault::sealed! {
    /// What mails say.
    pub(crate) static BODIES: scoped "notification.mails" (id: uuid) sealed;
}
