//! The lease on a sender: one process works it at a time, so that its rate and its messages in flight are bounded. By the
//! database's clock.

use std::time::Duration;

use plaza_contracts::ids::SenderId;
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::claims::in_milliseconds;
use super::plans;
use super::working::Key;

/// Tenants whose senders are looked up at a time, and how many senders of each.
const TENANTS: i32 = 100;
const SENDERS: i64 = 50;

row! {
    /// What a worker needs to know of its sender.
    pub(super) struct Worked {
        pub(super) channel: String,
        pub(super) account_id: String,
        pub(super) settings: serde_json::Value,
        pub(super) access_token: String,
        pub(super) rate: i32,
        /// Whether a message was ever accepted from its account.
        pub(super) proven: bool,
    }
}

statements! {
    // Jumps from tenant to tenant along `messages_due`, however many messages each has, and takes a few senders of
    // each that have something due and that nobody works. A tenant with nothing due stands alone: for the cursor. Whether
    // something is due is asked as for the first of it: asked whether there is any, the planner reads all of it.
    system static DUE_SENDERS: (Uuid, i32, i64) => (TenantId, Option<SenderId>) =
        "WITH RECURSIVE queueing AS (
             (SELECT m.tenant_id, 1 AS place FROM notification.messages m
               WHERE m.state = 'queued' AND m.tenant_id > $1
               ORDER BY m.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT m.tenant_id FROM notification.messages m
                      WHERE m.state = 'queued' AND m.tenant_id > q.tenant_id
                      ORDER BY m.tenant_id LIMIT 1), q.place + 1
               FROM queueing q WHERE q.tenant_id IS NOT NULL AND q.place < $2
         )
         SELECT q.tenant_id, due.id
           FROM queueing q
           LEFT JOIN LATERAL (
                SELECT s.id FROM notification.senders s
                 WHERE s.tenant_id = q.tenant_id AND s.status = 'active'
                   AND NOT EXISTS (SELECT FROM notification.sender_leases l
                                    WHERE l.tenant_id = s.tenant_id AND l.sender_id = s.id AND l.until > now())
                   AND (SELECT m.id FROM notification.messages m
                         WHERE m.tenant_id = s.tenant_id AND m.sender_id = s.id
                           AND m.state = 'queued' AND m.due_at <= now()
                           AND CASE WHEN m.source = ANY (ARRAY(
                                                  SELECT x.source FROM notification.sources x
                                                   WHERE x.tenant_id = s.tenant_id AND x.moving
                                                     AND x.state <> 'active'))
                                    THEN false ELSE true END
                         ORDER BY m.due_at, m.id LIMIT 1) IS NOT NULL
                   AND NOT EXISTS (SELECT FROM notification.tenant_settings t
                                    WHERE t.tenant_id = s.tenant_id AND t.held)
                 ORDER BY s.id LIMIT $3) AS due ON true
          WHERE q.tenant_id IS NOT NULL
          ORDER BY q.place";
    static TAKE: (TenantId, SenderId, Uuid, i64) => () =
        "INSERT INTO notification.sender_leases AS l (tenant_id, sender_id, holder, until)
         VALUES ($1, $2, $3, now() + $4::bigint * interval '1 millisecond')
         ON CONFLICT (tenant_id, sender_id) DO UPDATE SET holder = excluded.holder, until = excluded.until
          WHERE l.until < now() OR l.holder = excluded.holder";
    static GIVE_BACK: (TenantId, SenderId, Uuid) => () =
        "DELETE FROM notification.sender_leases WHERE tenant_id = $1 AND sender_id = $2 AND holder = $3";
    static WORKED: (TenantId, SenderId) => Worked =
        "SELECT channel, account_id, settings, access_token, rate, proven_at IS NOT NULL AS proven
           FROM notification.senders
          WHERE tenant_id = $1 AND id = $2 AND status = 'active'";
}

/// A part of the round over the tenants who have something to send.
pub(super) struct Found {
    /// Senders with something due that nobody works.
    pub(super) senders: Vec<Key>,
    /// The tenant to go on after; none at the end of the round.
    pub(super) next: Option<Uuid>,
    /// Whether a tenant may have more of them than are looked up at a time.
    pub(super) more: bool,
}

/// Looks up due senders of the tenants after this one, a few of each.
pub(super) async fn due_senders(database: &Database, after: Uuid) -> Result<Found, DatabaseError> {
    let tx = database.begin_system();
    let (planned, unsorted, rows) = tokio::join!(
        biased;
        plans::recent(&tx),
        plans::sorts(&tx, false),
        tx.all(&DUE_SENDERS, (after, TENANTS, SENDERS)),
    );
    planned.and(unsorted)?;
    let rows = rows?;
    tx.commit().await?;
    let of_tenants: Vec<_> = rows.chunk_by(|(one, _), (other, _)| one == other).collect();
    let last = of_tenants.last().and_then(|rows| rows.first());
    let full = i32::try_from(of_tenants.len()).is_ok_and(|count| count >= TENANTS);
    let crowded = |rows: &&[(TenantId, Option<SenderId>)]| {
        i64::try_from(rows.len()).is_ok_and(|count| count >= SENDERS)
    };
    Ok(Found {
        next: last.filter(|_| full).map(|(tenant, _)| tenant.as_uuid()),
        more: of_tenants.iter().any(crowded),
        senders: rows
            .iter()
            .filter_map(|(tenant, sender)| Some((*tenant, (*sender)?)))
            .collect(),
    })
}

/// Takes the lease and reads the sender. None when another process has it, or the sender is stopped: then nothing is
/// to be committed.
pub(super) async fn take(
    tx: &TenantTx,
    sender: SenderId,
    holder: Uuid,
    lease: Duration,
) -> Result<Option<Worked>, DatabaseError> {
    let (taken, worked) = tokio::join!(
        tx.execute(&TAKE, (tx.tenant(), sender, holder, in_milliseconds(lease))),
        tx.optional(&WORKED, (tx.tenant(), sender)),
    );
    let taken = taken? == 1;
    Ok(worked?.filter(|_| taken))
}

/// Prolongs the lease and commits; says whether it was still there to be prolonged.
pub(super) async fn prolong(
    tx: TenantTx,
    sender: SenderId,
    holder: Uuid,
    lease: Duration,
) -> Result<bool, DatabaseError> {
    let params = (tx.tenant(), sender, holder, in_milliseconds(lease));
    Ok(tx.execute_and_commit(&TAKE, params).await? == 1)
}

/// Gives the lease back and commits.
pub(super) async fn give_back(tx: TenantTx, sender: SenderId, holder: Uuid) -> Result<(), DatabaseError> {
    let params = (tx.tenant(), sender, holder);
    tx.execute_and_commit(&GIVE_BACK, params).await.map(drop)
}
