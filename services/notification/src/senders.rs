//! Senders: accounts at providers that messages go out from. No I/O here.

pub(crate) mod create;
pub(crate) mod http;
pub(crate) mod renew;
pub(crate) mod resume;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_kernel::{Failure, Kind, TenantId};

/// The only channel there is for now.
pub(crate) const WHATSAPP: &str = "whatsapp";

/// A sender as people look at it: never with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) id: SenderId,
    pub(crate) channel: String,
    pub(crate) name: String,
    pub(crate) account_id: String,
    pub(crate) rate: i32,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// The tenant has no such sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this sender does not exist")]
pub(crate) struct NoSender;

impl Failure for NoSender {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "SENDER_NOT_FOUND"
    }
}

/// Where a sender's secret is sealed.
pub(crate) fn seal_context<'a>(tenant: &'a str, sender: &'a str) -> plaza_crypto::SealContext<'a> {
    plaza_crypto::SealContext {
        tenant,
        table: "notification.senders",
        column: "access_token",
        row: sender,
    }
}

/// The account id of a tenant's development sender: fifteen digits, as Meta's phone number ids have, made of the
/// tenant's id so that every start gives the same.
pub(crate) fn development_account(tenant: TenantId) -> String {
    format!("1{:014}", tenant.as_uuid().as_u128() % 100_000_000_000_000)
}
