//! The relay's side of the outbox: what is due and what failed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, SystemTx, row, statements};
use plaza_kernel::{EventId, TenantId};
use uuid::Uuid;

use crate::{Envelope, MessagingSettings, lease};

/// The longest pause between two publications of an event.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

row! {
    /// An event that waits to be published.
    pub(crate) struct Waiting {
        pub(crate) id: i64,
        event_id: EventId,
        tenant_id: Option<TenantId>,
        key: String,
        name: String,
        version: i32,
        source: String,
        payload: String,
        traceparent: Option<String>,
        created_at: DateTime<Utc>,
        pub(crate) step: i32,
    }
}

impl Waiting {
    /// Whose turn it was: facts of the platform have one together.
    pub(crate) fn turn(&self) -> Uuid {
        self.tenant_id.map_or(Uuid::nil(), |tenant| tenant.as_uuid())
    }

    pub(crate) fn into_envelope(self) -> Envelope {
        Envelope {
            id: self.event_id,
            name: self.name,
            // Written from a u16 by `append`; a foreign value matches no consumer's version.
            version: u16::try_from(self.version).unwrap_or(u16::MAX),
            source: self.source,
            tenant: self.tenant_id,
            key: self.key,
            at: self.created_at,
            traceparent: self.traceparent,
            payload: self.payload,
        }
    }
}

row! {
    /// An event whose publication failed.
    pub(crate) struct Postponed {
        pub(crate) event_id: EventId,
        pub(crate) name: String,
        pub(crate) attempts: i32,
        pub(crate) parked: bool,
    }
}

statements! {
    /// What is due, in order per key, without what stands behind a failed row of its key; 4 MiB of bodies at most, but one
    /// row in any case. Tenants take turns: up to 64 that have something due, from the one after the last served on, give
    /// their first, then their second, and so on until the page is full.
    ///
    /// Never "after the last id seen": a slow transaction commits a lower id later. Only the holder of the lease reads
    /// anything, so the question can travel in the flight that takes the lease.
    system static DUE: (i64, String, Uuid, Uuid) => Waiting =
        "WITH RECURSIVE ring AS (
             SELECT $4::uuid AS turn, false AS wrapped, false AS due, 0 AS ready, 0 AS step
              WHERE EXISTS (SELECT FROM leases WHERE name = $2 AND holder = $3 AND until > now())
              UNION ALL
             SELECT next.turn, next.wrapped, found.due, r.ready + found.due::int4, r.step + 1
               FROM ring r
              CROSS JOIN LATERAL (
                    SELECT ahead.turn, ahead.wrapped
                      FROM ((SELECT coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) AS turn,
                                    r.wrapped
                               FROM outbox o
                              WHERE o.parked_at IS NULL
                                AND coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) > r.turn
                                AND (NOT r.wrapped OR coalesce(
                                        o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) <= $4)
                              ORDER BY coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                              LIMIT 1)
                              UNION ALL
                            (SELECT coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid), true
                               FROM outbox o
                              WHERE o.parked_at IS NULL
                                AND NOT r.wrapped
                                AND coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) <= $4
                              ORDER BY coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                              LIMIT 1)) ahead
                     ORDER BY ahead.wrapped <> r.wrapped
                     LIMIT 1) next
              CROSS JOIN LATERAL (
                    SELECT EXISTS (
                        SELECT FROM outbox o
                         WHERE coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) = next.turn
                           AND o.parked_at IS NULL
                           AND (o.next_at IS NULL OR o.next_at <= now())
                           AND NOT EXISTS (SELECT
                                             FROM outbox failed
                                            WHERE failed.key = o.key
                                              AND failed.tenant_id IS NOT DISTINCT FROM o.tenant_id
                                              AND failed.id < o.id
                                              AND failed.next_at > now()
                                              AND failed.parked_at IS NULL)) AS due) found
              WHERE r.ready < 64),
         turns AS MATERIALIZED (
             -- Four pages are looked at, however many tenants share them.
             SELECT turn, step, ceil(4.0 * $1::int8 / count(*) OVER ())::int8 AS most FROM ring WHERE due),
         page AS MATERIALIZED (
             SELECT first.id, first.round, turns.step
               FROM turns
              CROSS JOIN LATERAL (
                    SELECT d.id, row_number() OVER (ORDER BY d.id) AS round
                      FROM (SELECT o.id
                              FROM outbox o
                             WHERE coalesce(o.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) = turns.turn
                               AND o.parked_at IS NULL
                               AND (o.next_at IS NULL OR o.next_at <= now())
                               AND NOT EXISTS (SELECT
                                                 FROM outbox failed
                                                WHERE failed.key = o.key
                                                  AND failed.tenant_id IS NOT DISTINCT FROM o.tenant_id
                                                  AND failed.id < o.id
                                                  AND failed.next_at > now()
                                                  AND failed.parked_at IS NULL)
                             ORDER BY o.id
                             LIMIT least($1::int8, turns.most)) d) first
              ORDER BY first.round, turns.step
              LIMIT $1)
         SELECT id, event_id, tenant_id, key, name, version, source, payload, traceparent, created_at, step
           FROM (SELECT o.*, page.step,
                        sum(octet_length(o.payload)) OVER (ORDER BY page.round, page.step)
                        - octet_length(o.payload) AS ahead
                   FROM page JOIN outbox o USING (id)) due
          WHERE ahead < 4194304
          ORDER BY id";

    /// Postpones what failed. What counts doubles the pause, and parks the event after too many of it. What finds no room
    /// doubles the pause too: as many events as a page holds would keep all others of their tenant waiting.
    system static POSTPONE: (Vec<i64>, Vec<String>, Vec<bool>, Vec<bool>, f64, f64, i32) => Postponed =
        "UPDATE outbox o
            SET attempts = o.attempts + f.counts::int4,
                throttled = o.throttled + f.throttled::int4,
                last_error = f.error,
                next_at = now() + make_interval(secs => least($5, $6 * power(2::float8, least(30,
                              CASE WHEN f.throttled THEN greatest(o.throttled, o.attempts) ELSE o.attempts END)))),
                parked_at = CASE WHEN f.counts AND o.attempts + 1 >= $7 THEN now() END
           FROM unnest($1::int8[], $2::text[], $3::bool[], $4::bool[]) AS f (id, error, counts, throttled)
          WHERE o.id = f.id
         RETURNING o.event_id, o.name, o.attempts, o.parked_at IS NOT NULL AS parked";
}

/// A publication that failed.
pub(crate) struct Failed {
    pub(crate) id: i64,
    pub(crate) error: String,
    /// Whether it is held against the event.
    pub(crate) counts: bool,
    /// Whether there was no room for it.
    pub(crate) throttled: bool,
}

/// The events to publish now, tenants in turn after this one; none for anybody but the holder of the lease.
pub(crate) async fn due(
    tx: &SystemTx,
    holder: Uuid,
    limit: u32,
    after: Uuid,
) -> Result<Vec<Waiting>, DatabaseError> {
    tx.all(&DUE, (i64::from(limit), lease::RELAY.to_owned(), holder, after))
        .await
}

/// Postpones what failed. Only with `may_park` it may be given up.
pub(crate) async fn postpone(
    tx: &SystemTx,
    failed: Vec<Failed>,
    settings: &MessagingSettings,
    may_park: bool,
) -> Result<Vec<Postponed>, DatabaseError> {
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    let counts = failed.iter().map(|one| one.counts).collect();
    let throttled = failed.iter().map(|one| one.throttled).collect();
    let (ids, errors) = failed.into_iter().map(|one| (one.id, one.error)).unzip();
    let ceiling = if may_park {
        i32::try_from(settings.publications).unwrap_or(i32::MAX)
    } else {
        i32::MAX
    };
    let pauses = (LONGEST_PAUSE.as_secs_f64(), settings.backoff.as_secs_f64());
    let params = (ids, errors, counts, throttled, pauses.0, pauses.1, ceiling);
    tx.all(&POSTPONE, params).await
}
