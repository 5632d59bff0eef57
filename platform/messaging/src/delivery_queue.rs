//! The durable queue of deliveries: claiming, taking away, postponing, burying.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{EventId, TenantId};

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
    }
}

impl Claimed {
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
    /// consumer. Looks at the first 256 such rows, so that a long queue of one key costs no more than a short one;
    /// `crowded` says that there were that many. The lock re-checks rows that another runner claimed meanwhile, and
    /// skips those whose effect is being committed.
    system static CLAIM: (Vec<String>, Vec<i32>, f64) => Claimed =
        "WITH heads AS MATERIALIZED (
             SELECT head.id, head.crowded
               FROM unnest($1::text[], $2::int4[]) AS free (consumer, places)
              CROSS JOIN LATERAL (
                    SELECT first.id, first.crowded
                      FROM (SELECT DISTINCT ON (w.tenant_id, w.key) w.id, count(*) OVER () = 256 AS crowded
                              FROM (SELECT d.id, d.tenant_id, d.key
                                      FROM deliveries d
                                     WHERE d.consumer = free.consumer
                                       AND (d.next_at IS NULL OR d.next_at <= now())
                                       AND NOT EXISTS (SELECT
                                                         FROM deliveries busy
                                                        WHERE busy.consumer = d.consumer
                                                          AND busy.key = d.key
                                                          AND busy.tenant_id IS NOT DISTINCT FROM d.tenant_id
                                                          AND busy.next_at > now()
                                                          AND busy.id < d.id)
                                     ORDER BY d.id
                                     LIMIT 256) w
                             ORDER BY w.tenant_id, w.key, w.id) first
                     ORDER BY first.id
                     LIMIT free.places) head),
         locked AS MATERIALIZED (
             SELECT d.id
               FROM deliveries d
              WHERE d.id IN (SELECT id FROM heads)
                AND (d.next_at IS NULL OR d.next_at <= now())
                FOR UPDATE SKIP LOCKED)
         UPDATE deliveries d
            SET attempts = d.attempts + 1, next_at = now() + make_interval(secs => $3)
           FROM locked JOIN heads USING (id)
          WHERE d.id = locked.id
         RETURNING d.id, d.consumer, d.event_id, d.tenant_id, d.key, d.name, d.version, d.source, d.payload,
                   d.traceparent, d.created_at, d.attempts, heads.crowded";

    /// Takes a delivery away, in the transaction of its effect. The row's lock keeps others from it until then; with
    /// another number of attempts somebody else has claimed it since.
    static TAKE_AWAY: (i64, i32) => () =
        "DELETE FROM deliveries WHERE id = $1 AND attempts = $2";

    /// Remembers that a consumer has consumed an event; no row if it had before.
    static REMEMBER: (String, EventId, DateTime<Utc>) => () =
        "INSERT INTO inbox (consumer, event_id, done_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

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
    places: Vec<(String, i32)>,
    lasts: Duration,
) -> Result<Vec<Claimed>, DatabaseError> {
    let (consumers, places) = places.into_iter().unzip();
    let tx = database.begin_system();
    let claimed = tx.all(&CLAIM, (consumers, places, lasts.as_secs_f64())).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Whether the delivery is still ours, taking it away.
pub(crate) async fn take_away(tx: &TenantTx, claimed: &Claimed) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&TAKE_AWAY, (claimed.id, claimed.attempts)).await? > 0)
}

/// Whether the event is new to the consumer, remembering it.
pub(crate) async fn remember(
    tx: &TenantTx,
    consumer: &str,
    event: EventId,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&REMEMBER, (consumer.to_owned(), event, now)).await? > 0)
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
