//! What notification writes into the audit: senders without their tokens, addresses by the ids of their suppressions.

use plaza_audit::{Action, Entry, record};
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::Clock;
use serde_json::json;

use crate::senders::Sender;

static SENDER_CREATED: Action = Action::new("senders.create", "sender", &["name", "channel", "rate"]);
pub(crate) static SENDER_RENEWED: Action = Action::new("senders.renew_token", "sender", &[]);
pub(crate) static SENDER_RESUMED: Action = Action::new("senders.resume", "sender", &[]);
pub(crate) static SUPPRESSED: Action = Action::new("suppressions.create", "suppression", &[]);
pub(crate) static LIFTED: Action = Action::new("suppressions.delete", "suppression", &[]);

/// A sender was made.
pub(crate) async fn sender_created(
    tx: &Transaction,
    clock: &Clock,
    sender: &Sender,
) -> Result<(), DatabaseError> {
    let told = json!({"name": sender.name, "channel": sender.channel, "rate": sender.rate});
    record(tx, clock, Entry::of(&SENDER_CREATED, sender.id).after(told))
        .await
        .map(drop)
}
