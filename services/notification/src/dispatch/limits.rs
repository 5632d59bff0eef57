//! A limit for all senders of a tenant together, whichever process works them.

use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;

/// By which name the limit on messages is kept.
const MESSAGES: &str = "messages";

statements! {
    // GCRA in one statement: `tat` is when all that was taken is paid off, a second's worth may be taken ahead. Whoever
    // comes at the same time waits for the row, and finds what is left.
    static TAKE: (TenantId, String, i32, i32) => (i32,) =
        "INSERT INTO notification.rate_state AS r (tenant_id, key, tat) VALUES ($1, $2, now())
         ON CONFLICT (tenant_id, key) DO UPDATE SET tat = greatest(r.tat, now())
         RETURNING least($4::int, greatest(0, floor(
                       extract(epoch FROM now() + interval '1 second' - tat) * $3::int)::int))";
    static PAY: (TenantId, String, i32, i32) => () =
        "UPDATE notification.rate_state
            SET tat = greatest(tat, now()) + $4::int * interval '1 second' / $3::int
          WHERE tenant_id = $1 AND key = $2";
}

/// How many of the messages that are wanted may go now; the others are asked for again. What goes is paid for by [`pay`] in
/// the same transaction.
pub(super) async fn allowed(tx: &TenantTx, per_second: u32, wanted: usize) -> Result<usize, DatabaseError> {
    let (rate, wanted) = (int(per_second as usize), int(wanted));
    let (allowed,) = tx
        .one(&TAKE, (tx.tenant(), MESSAGES.to_owned(), rate, wanted))
        .await?;
    Ok(usize::try_from(allowed).unwrap_or_default())
}

/// Pays for what goes.
pub(super) async fn pay(tx: &TenantTx, per_second: u32, messages: usize) -> Result<(), DatabaseError> {
    if messages == 0 {
        return Ok(());
    }
    let params = (
        tx.tenant(),
        MESSAGES.to_owned(),
        int(per_second as usize),
        int(messages),
    );
    tx.execute(&PAY, params).await.map(drop)
}

fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
