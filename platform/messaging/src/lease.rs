//! The right to relay a service's outbox: a row with a holder, an epoch and an end.
//!
//! It keeps two processes from publishing the same events side by side; it does not have to be perfect, because
//! consumers recognise repetitions. It is taken for one round and given back with the round's last transaction, so an
//! idle process holds none and a restart after a crash waits only if the crash fell into a round.

use std::time::Duration;

use plaza_database::{DatabaseError, SystemTx, statements};
use uuid::Uuid;

/// The name of the relay's lease.
pub(crate) const RELAY: &str = "relay";

statements! {
    /// Takes the lease if it is free and there is something to do. The epoch rises with every taking.
    system static TAKE: (String, Uuid, f64) => (i64,) =
        "INSERT INTO leases (name, holder, epoch, until)
         SELECT $1, $2, 1, now() + make_interval(secs => $3)
          WHERE EXISTS (SELECT FROM outbox WHERE parked_at IS NULL AND (next_at IS NULL OR next_at <= now()))
             ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder, epoch = leases.epoch + 1, until = excluded.until
          WHERE leases.until <= now() OR leases.holder = excluded.holder
         RETURNING epoch";

    /// Deletes what was acknowledged, whoever has the lease by now, and gives it back, unless somebody else has it.
    system static FINISH: (Vec<i64>, String, Uuid, i64) => () =
        "WITH acknowledged AS (DELETE FROM outbox WHERE id = ANY($1))
         UPDATE leases SET until = now() WHERE name = $2 AND holder = $3 AND epoch = $4";
}

/// Takes the relay's lease; nothing if another process has it or nothing is due.
pub(crate) async fn take(tx: &SystemTx, holder: Uuid, lasts: Duration) -> Result<Option<i64>, DatabaseError> {
    let taken = tx
        .optional(&TAKE, (RELAY.to_owned(), holder, lasts.as_secs_f64()))
        .await?;
    Ok(taken.map(|(epoch,)| epoch))
}

/// Ends a round: forgets the acknowledged events, gives the relay's lease back and commits, in one flight.
pub(crate) async fn finish(
    tx: SystemTx,
    acknowledged: Vec<i64>,
    holder: Uuid,
    epoch: i64,
) -> Result<(), DatabaseError> {
    tx.execute_and_commit(&FINISH, (acknowledged, RELAY.to_owned(), holder, epoch))
        .await?;
    Ok(())
}
