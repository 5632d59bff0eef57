//! Writing an entry, in the transaction of what it tells of.

use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::Clock;
use plaza_rpc::carried;

use crate::store::NewRow;
use crate::{Action, AuditId, Entry, store};

/// The signal that wakes whoever chains in this process.
pub(crate) const SIGNAL: &str = "audit";

/// Writes down that something was done to the thing with this id, where there is nothing more to tell.
///
/// # Errors
/// When the database fails.
pub async fn done(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    target: impl ToString,
) -> Result<(), DatabaseError> {
    record(tx, clock, Entry::of(action, target)).await.map(drop)
}

/// Writes an entry into the audit of the transaction's service and tenant: committed with the change, or not at all.
///
/// # Errors
/// When the database fails.
pub async fn record(tx: &Transaction, clock: &Clock, entry: Entry) -> Result<AuditId, DatabaseError> {
    let id = AuditId::generate(clock);
    let Entry {
        action,
        target,
        actor,
        denied,
        before,
        after,
    } = entry;
    let row: NewRow = (
        id,
        tx.scope().tenant(),
        clock.now(),
        actor.kind().to_owned(),
        actor.subject(),
        actor.role(),
        carried().request_id.map(|id| id.as_str().to_owned()),
        action.name().to_owned(),
        action.target().to_owned(),
        target,
        if denied { "denied" } else { "done" }.to_owned(),
        before.map(|before| before.to_string()),
        after.map(|after| after.to_string()),
    );
    store::add(tx, row).await?;
    tx.signal_on_commit(SIGNAL);
    Ok(id)
}
