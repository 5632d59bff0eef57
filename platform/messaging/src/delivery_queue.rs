//! The durable queue of deliveries: claiming, taking away, postponing, burying.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{EventId, TenantId};
use uuid::Uuid;

use crate::Envelope;

row! {
    /// A delivery that this runner may make.
    pub(crate) struct Claimed {
        pub(crate) id: i64,
        pub(crate) consumer: String,
        event_id: EventId,
        tenant_id: Option<TenantId>,
        key: String,
        name: String,
        version: i32,
        source: String,
        payload: String,
        traceparent: Option<String>,
        created_at: DateTime<Utc>,
        pub(crate) attempts: i32,
        pub(crate) crowded: bool,
        pub(crate) step: i32,
    }
}

/// A consumer with free places, and whose turn was last.
pub(crate) struct Free {
    pub(crate) consumer: &'static str,
    pub(crate) places: i32,
    pub(crate) after: Uuid,
}

impl Claimed {
    /// Whose turn it was: facts of the platform have one together.
    pub(crate) fn turn(&self) -> Uuid {
        self.tenant_id.map_or(Uuid::nil(), |tenant| tenant.as_uuid())
    }

    /// The event of it.
    pub(crate) fn take_envelope(&mut self) -> Envelope {
        Envelope {
            id: self.event_id,
            name: std::mem::take(&mut self.name),
            version: u16::try_from(self.version).unwrap_or(u16::MAX),
            source: std::mem::take(&mut self.source),
            tenant: self.tenant_id,
            key: std::mem::take(&mut self.key),
            at: self.created_at,
            traceparent: self.traceparent.take(),
            payload: std::mem::take(&mut self.payload),
        }
    }
}

statements! {
    /// Claims the first delivery of each key that nobody works on and that does not wait for its next try, some per
    /// consumer, and takes tenants in turn: from the one after the last served on, round to it again, until as many have
    /// something as there are places. Then each gives its first, and those that have more give their second, and so on.
    ///
    /// Walks from tenant to tenant by the index, and looks at the first 64 rows of each that could be claimed, so that a
    /// long queue of one key or one tenant costs no more than a short one; `crowded` says that there were that many. The
    /// lock re-checks rows that another runner claimed meanwhile, and skips those whose effect is being committed.
    system static CLAIM: (Vec<String>, Vec<i32>, Vec<Uuid>, f64) => Claimed =
        "WITH RECURSIVE ring AS (
             SELECT free.consumer, free.places, free.after, free.after AS turn, false AS wrapped,
                    NULL::int8[] AS heads, false AS crowded, 0 AS ready, 0 AS step
               FROM unnest($1::text[], $2::int4[], $3::uuid[]) AS free (consumer, places, after)
              UNION ALL
             SELECT r.consumer, r.places, r.after, next.turn, next.wrapped, found.heads, found.crowded,
                    r.ready + (found.heads IS NOT NULL)::int4, r.step + 1
               FROM ring r
              CROSS JOIN LATERAL (
                    SELECT ahead.turn, ahead.wrapped
                      FROM ((SELECT coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) AS turn,
                                    r.wrapped
                               FROM deliveries d
                              WHERE d.consumer = r.consumer
                                AND coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) > r.turn
                                AND (NOT r.wrapped OR coalesce(
                                        d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) <= r.after)
                              ORDER BY coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                              LIMIT 1)
                              UNION ALL
                            (SELECT coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid), true
                               FROM deliveries d
                              WHERE d.consumer = r.consumer
                                AND NOT r.wrapped
                                AND coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) <= r.after
                              ORDER BY coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                              LIMIT 1)) ahead
                     ORDER BY ahead.wrapped <> r.wrapped
                     LIMIT 1) next
              CROSS JOIN LATERAL (
                    SELECT (array_agg(first.id ORDER BY first.id))[:r.places] AS heads, bool_or(first.crowded) AS crowded
                      FROM (SELECT DISTINCT ON (w.key) w.id, count(*) OVER () = 64 AS crowded
                              FROM (SELECT d.id, d.key
                                      FROM deliveries d
                                     WHERE d.consumer = r.consumer
                                       AND coalesce(d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                                           = next.turn
                                       AND (d.next_at IS NULL OR d.next_at <= now())
                                       AND NOT EXISTS (SELECT
                                                         FROM deliveries busy
                                                        WHERE busy.consumer = d.consumer
                                                          AND busy.key = d.key
                                                          AND busy.tenant_id IS NOT DISTINCT FROM d.tenant_id
                                                          AND busy.next_at > now()
                                                          AND busy.id < d.id)
                                     ORDER BY d.id
                                     LIMIT 64) w
                             ORDER BY w.key, w.id) first) found
              WHERE r.ready < r.places),
         heads AS MATERIALIZED (
             SELECT ranked.id, ranked.crowded, ranked.step
               FROM (SELECT head.id, ring.crowded, ring.step, ring.places,
                            row_number() OVER (PARTITION BY ring.consumer ORDER BY head.round, ring.step) AS place
                       FROM ring CROSS JOIN LATERAL unnest(ring.heads) WITH ORDINALITY AS head (id, round)) ranked
              WHERE ranked.place <= ranked.places),
         locked AS MATERIALIZED (
             SELECT d.id
               FROM deliveries d
              WHERE d.id = ANY (ARRAY(SELECT id FROM heads))
                AND (d.next_at IS NULL OR d.next_at <= now())
                FOR UPDATE SKIP LOCKED)
         UPDATE deliveries d
            SET attempts = d.attempts + 1, next_at = now() + make_interval(secs => $4)
           FROM heads
          WHERE d.id = ANY (ARRAY(SELECT id FROM locked)) AND heads.id = d.id
         RETURNING d.id, d.consumer, d.event_id, d.tenant_id, d.key, d.name, d.version, d.source, d.payload,
                   d.traceparent, d.created_at, d.attempts, heads.crowded, heads.step";

    /// Takes a delivery away, in the transaction of its effect. The row's lock keeps others from it until then; with
    /// another number of attempts somebody else has claimed it since.
    static TAKE_AWAY: (i64, i32) => () =
        "DELETE FROM deliveries WHERE id = $1 AND attempts = $2";

    /// Tries again later.
    system static POSTPONE: (i64, i32, String, f64) => () =
        "UPDATE deliveries SET last_error = $3, next_at = now() + make_interval(secs => $4)
          WHERE id = $1 AND attempts = $2";

    /// Gives a claim back that came to nothing before the consumer was asked.
    system static GIVE_BACK: (i64, i32, f64) => () =
        "UPDATE deliveries SET attempts = attempts - 1, next_at = now() + make_interval(secs => $3)
          WHERE id = $1 AND attempts = $2";

    /// Makes a dead letter of it, in one step.
    system static BURY: (i64, i32, String, DateTime<Utc>) => () =
        "WITH dying AS (DELETE FROM deliveries WHERE id = $1 AND attempts = $2 RETURNING *)
         INSERT INTO dead_letters (consumer, event_id, tenant_id, key, name, version, source, payload, traceparent,
                                   created_at, attempts, error, died_at)
         SELECT consumer, event_id, tenant_id, key, name, version, source, payload, traceparent,
                created_at, attempts, $3, $4
           FROM dying
             ON CONFLICT (consumer, event_id) DO UPDATE
            SET attempts = excluded.attempts, error = excluded.error, died_at = excluded.died_at, state = 'dead'";
}

/// Claims deliveries: at most so many per consumer, for so long.
pub(crate) async fn claim(
    database: &Database,
    free: &[Free],
    lasts: Duration,
) -> Result<Vec<Claimed>, DatabaseError> {
    let params = (
        free.iter().map(|one| one.consumer.to_owned()).collect(),
        free.iter().map(|one| one.places).collect(),
        free.iter().map(|one| one.after).collect(),
        lasts.as_secs_f64(),
    );
    let tx = database.begin_system();
    let claimed = tx.all(&CLAIM, params).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Whether the delivery is still ours, taking it away.
pub(crate) async fn take_away(tx: &TenantTx, claimed: &Claimed) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&TAKE_AWAY, (claimed.id, claimed.attempts)).await? > 0)
}

/// Tries again after the delay.
pub(crate) async fn postpone(
    database: &Database,
    claimed: &Claimed,
    error: String,
    delay: Duration,
) -> Result<(), DatabaseError> {
    let tx = database.begin_system();
    tx.execute(
        &POSTPONE,
        (claimed.id, claimed.attempts, error, delay.as_secs_f64()),
    )
    .await?;
    tx.commit().await
}

/// Gives it back uncounted, to be claimed again after the delay.
pub(crate) async fn give_back(
    database: &Database,
    claimed: &Claimed,
    delay: Duration,
) -> Result<(), DatabaseError> {
    let params = (claimed.id, claimed.attempts, delay.as_secs_f64());
    database
        .begin_system()
        .execute_and_commit(&GIVE_BACK, params)
        .await?;
    Ok(())
}

/// Makes a dead letter of it. False if it was no longer ours.
pub(crate) async fn bury(
    database: &Database,
    claimed: &Claimed,
    error: String,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let params = (claimed.id, claimed.attempts, error, now);
    Ok(database.begin_system().execute_and_commit(&BURY, params).await? > 0)
}
