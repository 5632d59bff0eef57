//! All SQL that resolves doubt: leases whose holder died, and messages that nobody knows the fate of.

use std::time::Duration;

use plaza_database::{DatabaseError, SystemTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::claims::in_milliseconds;

/// The most rows that one sweep moves of each kind.
const BATCH: i64 = 1_000;

/// The most of one tenant among them.
const OF_TENANT: i64 = 50;

statements! {
    // The longest in doubt first: there are no more of these than were in flight.
    system static IN_DOUBT: (i64, i64) => () =
        "WITH late AS MATERIALIZED (
             SELECT tenant_id, id FROM notification.messages
              WHERE state = 'leased' AND lease_until < now()
              ORDER BY lease_until
              LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE notification.messages m
            SET state = 'unknown', unknown_because = 'crash', due_at = now() + $1::bigint * interval '1 millisecond',
                lease_until = NULL, updated_at = now()
           FROM late WHERE m.tenant_id = late.tenant_id AND m.id = late.id";
    // Sent again once after the provider's silence, then given up; after our own crash as often as we crash. In rounds
    // over the tenants, a few messages of each: one who met with much silence does not keep the others waiting.
    system static RESOLVE: (Uuid, i64, i64) => (TenantId, String, bool) =
        "WITH RECURSIVE doubting AS (
             (SELECT m.tenant_id FROM notification.messages m
               WHERE m.state = 'unknown' AND m.tenant_id > $1
               ORDER BY m.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT m.tenant_id FROM notification.messages m
                      WHERE m.state = 'unknown' AND m.tenant_id > d.tenant_id
                      ORDER BY m.tenant_id LIMIT 1)
               FROM doubting d WHERE d.tenant_id IS NOT NULL
         ), due AS MATERIALIZED (
             SELECT x.tenant_id, x.id, x.given_up
               FROM doubting d
              CROSS JOIN LATERAL (
                    SELECT m.tenant_id, m.id,
                           m.unknown_because IS NOT DISTINCT FROM 'silence' AND m.resends > 0 AS given_up
                      FROM notification.messages m
                     WHERE m.tenant_id = d.tenant_id AND m.state = 'unknown' AND m.due_at <= now()
                     ORDER BY m.due_at, m.id
                     LIMIT $3 FOR UPDATE SKIP LOCKED) AS x
              LIMIT $2
         )
         UPDATE notification.messages m
            SET state = CASE WHEN due.given_up THEN 'failed' ELSE 'queued' END,
                due_at = now(), updated_at = now(), unknown_because = NULL,
                resends = m.resends + CASE WHEN NOT due.given_up AND m.unknown_because = 'silence' THEN 1 ELSE 0 END,
                error_code = CASE WHEN due.given_up THEN 'OUTCOME_UNKNOWN' ELSE m.error_code END,
                error_text = CASE WHEN due.given_up
                                  THEN 'the provider never said whether it has the message' ELSE m.error_text END
           FROM due WHERE m.tenant_id = due.tenant_id AND m.id = due.id
         RETURNING m.tenant_id, m.source, due.given_up";
}

/// What a sweep moved.
pub(super) struct Swept {
    /// Leases that ended without an answer and are doubt now.
    pub(super) doubted: u64,
    /// How much doubt that nothing resolved in time is sent again.
    pub(super) again: usize,
    /// Doubt that was sent again, is doubt once more and is given up: tenant and source of each.
    pub(super) given_up: Vec<(TenantId, String)>,
    /// The tenant to go on after; the lowest id when the round is over.
    pub(super) next: Uuid,
}

impl Swept {
    /// Whether there may be more: of those in a lease, of the other tenants, or of one of these.
    pub(super) fn is_full(&self) -> bool {
        let resolved = self.again + self.given_up.len();
        self.doubted >= BATCH.unsigned_abs() || !self.next.is_nil() || is_at_least(resolved, OF_TENANT)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.doubted == 0 && self.again == 0 && self.given_up.is_empty()
    }
}

/// Moves what is in doubt, that of the tenants after this one. New doubt lasts so long.
pub(super) async fn sweep(tx: &SystemTx, after: Uuid, wait: Duration) -> Result<Swept, DatabaseError> {
    let (doubted, resolved) = tokio::join!(
        tx.execute(&IN_DOUBT, (in_milliseconds(wait), BATCH)),
        tx.all(&RESOLVE, (after, BATCH, OF_TENANT)),
    );
    let (doubted, resolved) = (doubted?, resolved?);
    let last = resolved.iter().map(|(tenant, _, _)| tenant.as_uuid()).max();
    let next = last.filter(|_| is_at_least(resolved.len(), BATCH));
    let (given_up, again): (Vec<_>, Vec<_>) = resolved.into_iter().partition(|(_, _, given_up)| *given_up);
    Ok(Swept {
        doubted,
        again: again.len(),
        given_up: given_up
            .into_iter()
            .map(|(tenant, source, _)| (tenant, source))
            .collect(),
        next: next.unwrap_or_default(),
    })
}

fn is_at_least(count: usize, most: i64) -> bool {
    i64::try_from(count).is_ok_and(|count| count >= most)
}
