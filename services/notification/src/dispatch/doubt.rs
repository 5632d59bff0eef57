//! All SQL that resolves doubt: leases whose holder died, and messages that nobody knows the fate of.

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, SystemTx, statements};
use plaza_kernel::TenantId;

/// The most rows that one sweep moves of each kind.
pub(super) const BATCH: usize = 1_000;

statements! {
    system static IN_DOUBT: (DateTime<Utc>, DateTime<Utc>, i64) => () =
        "WITH late AS MATERIALIZED (
             SELECT tenant_id, id FROM notification.messages
              WHERE state = 'leased' AND lease_until < $1
              LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE notification.messages m
            SET state = 'unknown', unknown_because = 'crash', due_at = $2, lease_until = NULL, updated_at = $1
           FROM late WHERE m.tenant_id = late.tenant_id AND m.id = late.id";
    // Sent again once after the provider's silence; after our own crash as often as we crash.
    system static SEND_AGAIN: (DateTime<Utc>, i64) => () =
        "WITH due AS MATERIALIZED (
             SELECT tenant_id, id FROM notification.messages
              WHERE state = 'unknown' AND due_at <= $1
                AND (unknown_because IS DISTINCT FROM 'silence' OR resends = 0)
              LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE notification.messages m
            SET state = 'queued', due_at = $1, updated_at = $1, unknown_because = NULL,
                resends = m.resends + CASE WHEN m.unknown_because = 'silence' THEN 1 ELSE 0 END
           FROM due WHERE m.tenant_id = due.tenant_id AND m.id = due.id";
    system static GIVE_UP: (DateTime<Utc>, i64) => (TenantId, String) =
        "WITH lost AS MATERIALIZED (
             SELECT tenant_id, id FROM notification.messages
              WHERE state = 'unknown' AND due_at <= $1 AND unknown_because = 'silence' AND resends > 0
              LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE notification.messages m
            SET state = 'failed', updated_at = $1, unknown_because = NULL, error_code = 'OUTCOME_UNKNOWN',
                error_text = 'the provider never said whether it has the message'
           FROM lost WHERE m.tenant_id = lost.tenant_id AND m.id = lost.id
         RETURNING m.tenant_id, m.source";
}

/// What a sweep moved.
pub(super) struct Swept {
    /// Leases that ended without an answer and are doubt now.
    pub(super) doubted: u64,
    /// Doubt that nothing resolved in time and that is sent again.
    pub(super) again: u64,
    /// Doubt that was sent again, is doubt once more and is given up: tenant and source of each.
    pub(super) given_up: Vec<(TenantId, String)>,
}

impl Swept {
    /// Whether there may be more of a kind than one sweep moves.
    pub(super) fn is_full(&self) -> bool {
        let batch = BATCH as u64;
        self.doubted >= batch || self.again >= batch || self.given_up.len() >= BATCH
    }

    pub(super) fn is_empty(&self) -> bool {
        self.doubted + self.again == 0 && self.given_up.is_empty()
    }
}

/// Moves what is in doubt. New doubt lasts until `until`.
pub(super) async fn sweep(
    tx: &SystemTx,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Swept, DatabaseError> {
    let batch = BATCH as i64;
    let (doubted, again, given_up) = tokio::join!(
        tx.execute(&IN_DOUBT, (now, until, batch)),
        tx.execute(&SEND_AGAIN, (now, batch)),
        tx.all(&GIVE_UP, (now, batch)),
    );
    Ok(Swept {
        doubted: doubted?,
        again: again?,
        given_up: given_up?,
    })
}
