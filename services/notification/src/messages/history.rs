//! What became of one message, in the order in which it did, and why it did not arrive.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;
use plaza_database::DatabaseError;
use plaza_kernel::TenantId;

use super::{Message, State, listing};
use crate::receipts::store::Kept;
use crate::{Notification, receipts};

/// A message with all that is known of it.
pub(crate) struct History {
    pub(crate) message: Message,
    pub(crate) receipts: Vec<Kept>,
    /// Why it did not arrive, or has not left, for people; none when there is nothing to explain.
    pub(crate) why: Option<&'static str>,
}

impl Notification {
    /// All that is known of a message.
    pub(crate) async fn history(
        &self,
        tenant: TenantId,
        id: MessageId,
    ) -> Result<Option<History>, DatabaseError> {
        let database = &self.inner.database;
        let Some(message) = listing::get(database, tenant, id).await? else {
            return Ok(None);
        };
        let receipts = receipts::store::of_message(database, tenant, id).await?;
        let why = why(&message, self.inner.clock.now());
        Ok(Some(History {
            message,
            receipts,
            why,
        }))
    }
}

/// Why a message did not arrive, or has not left.
fn why(message: &Message, now: DateTime<Utc>) -> Option<&'static str> {
    let code = message.error_code.as_deref().unwrap_or_default();
    match (message.state, code) {
        (State::Skipped, "SUPPRESSED") => Some("the address must not be written to"),
        (State::Skipped, "FREQUENCY_CAP") => Some("the address has had as much advertising as it may get"),
        (State::Skipped, "WA_UNREACHABLE") => {
            Some("the provider said twice that there is nobody at this address")
        }
        (State::Expired, _) => Some("it had not left when its time was over"),
        (State::Cancelled, _) => Some("whoever asked for it called it off"),
        (State::Failed, "OUTCOME_UNKNOWN") => Some("the provider never said whether it has the message"),
        (State::Failed, _) => Some("the provider does not take it, or could not deliver it"),
        (State::Queued, "QUIET_HOURS") => Some("it is quiet at the address; it goes out when that is over"),
        (State::Queued, "PAIR_LIMIT") => Some("the address gets other messages first"),
        (State::Queued, "") if (now - message.created_at).num_seconds() < 5 => None,
        (State::Queued, "") => Some("it waits for its turn, its sender, or whoever held it back"),
        (State::Queued, _) => Some("the last try failed; there is another one"),
        (State::Unknown, _) => Some("the provider did not answer; a receipt or time will tell"),
        _ => None,
    }
}
