//! All SQL that claims messages and writes down what became of them. What is due and which lease holds is measured by the
//! database's clock alone: those of the processes may differ, and may be set.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_database::{DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::verdict::Verdict;
use crate::messages::MARKETING;
use crate::terms::Cap;

row! {
    /// A message that was claimed, or that came to its end instead.
    #[derive(Debug)]
    pub(super) struct Claimed {
        pub(super) id: MessageId,
        pub(super) source: String,
        pub(super) address: String,
        pub(super) content: String,
        pub(super) class: Option<String>,
        pub(super) zone: Option<String>,
        pub(super) epoch: i32,
        pub(super) attempts: i32,
        /// What the try before this one met.
        pub(super) previous: Option<String>,
        /// Why it is not to be sent: then it is not claimed.
        pub(super) why_not: Option<String>,
        pub(super) traceparent: Option<String>,
        pub(super) due_at: DateTime<Utc>,
    }
}

/// The address has had as much advertising as it may get.
const FREQUENCY_CAP: &str = "FREQUENCY_CAP";

/// A verdict on a claimed message.
pub(super) struct Settled {
    pub(super) id: MessageId,
    pub(super) source: String,
    pub(super) epoch: i32,
    pub(super) verdict: Verdict,
}

/// Who claims, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) sender: SenderId,
    /// The holder of the sender's lease.
    pub(super) holder: Uuid,
    /// How long the claims hold.
    pub(super) lease: Duration,
    /// How many at the most.
    pub(super) most: usize,
    /// Only what comes after this message, which was due then: what is before it has been claimed, as far as is known. None
    /// for all.
    pub(super) after: Option<(DateTime<Utc>, MessageId)>,
}

impl Claimed {
    /// Whether it was claimed to be sent.
    pub(super) fn is_to_be_sent(&self) -> bool {
        self.why_not.is_none()
    }

    /// Whether it is advertising: what windows, caps and narrower opt-outs are about.
    pub(super) fn is_marketing(&self) -> bool {
        self.class.as_deref() == Some(MARKETING)
    }
}

/// Parallel arrays, one element a verdict: id, epoch, state, milliseconds until it is due, provider's id, error code, error text, uncounted.
type Arrays = (
    Vec<Uuid>,
    Vec<i32>,
    Vec<String>,
    Vec<i64>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<i32>,
);

statements! {
    // Only the holder of the lease claims, and only for a sender that is not stopped, of a tenant that is not. Suppression
    // is looked at in the statement that leases: an opt-out that committed before is honoured. So is a source that was
    // held or called off; once its messages are moved, it is no longer in the list. (In a CASE, because the planner takes
    // `<> ALL` of a list that it does not know for true of hardly any row, and then sorts the whole queue.)
    // The rows that were claimed since the table was last vacuumed are still in the index: whoever begins at its beginning
    // walks over all of them each time. (Under row level security an index is asked only for what is known to leak nothing:
    // these comparisons are, a COALESCE in them is not.)
    static CLAIM: (TenantId, SenderId, i64, i64, Uuid, DateTime<Utc>, Uuid) => Claimed =
        "WITH due AS (
             SELECT m.id, m.channel, m.class, m.attempts, m.expires_at, m.error_code AS previous,
                    notification.address_key(m.address) AS key,
                    notification.spellings(notification.address_key(m.address)) AS spellings
               FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.sender_id = $2 AND m.state = 'queued' AND m.due_at <= now()
                AND (m.due_at, m.id) > ($6, $7)
                AND CASE WHEN m.source = ANY (ARRAY(SELECT x.source FROM notification.sources x
                                                     WHERE x.tenant_id = $1 AND x.moving AND x.state <> 'active'))
                         THEN false ELSE true END
                AND EXISTS (SELECT FROM notification.sender_leases l
                             WHERE l.tenant_id = $1 AND l.sender_id = $2 AND l.holder = $5 AND l.until > now())
                AND EXISTS (SELECT FROM notification.senders s
                             WHERE s.tenant_id = $1 AND s.id = $2 AND s.status = 'active')
                AND NOT EXISTS (SELECT FROM notification.tenant_settings t WHERE t.tenant_id = $1 AND t.held)
              ORDER BY m.due_at, m.id
              LIMIT $3
                FOR UPDATE OF m SKIP LOCKED
         ), picked AS MATERIALIZED (
             SELECT d.id, d.previous,
                    CASE WHEN d.expires_at <= now() THEN 'EXPIRED'
                         WHEN d.class IS DISTINCT FROM 'confirmation'
                              AND (EXISTS (SELECT FROM notification.suppressions s
                                            WHERE s.tenant_id = $1 AND s.channel = d.channel
                                              AND s.address = ANY (d.spellings)
                                              AND (s.scope = 'all' OR d.class = 'marketing'))
                                   OR EXISTS (SELECT FROM notification.opt_outs o
                                               WHERE o.tenant_id = $1 AND o.address_key = d.key AND o.stands
                                                 AND (o.channel = d.channel OR o.source = 'stop')
                                                 AND (o.scope = 'all' OR d.class = 'marketing'))) THEN 'SUPPRESSED'
                         WHEN d.attempts = 0 AND c.unreachable >= 2
                              AND c.unreachable_at > now() - interval '90 days' THEN 'WA_UNREACHABLE'
                    END AS why_not
               FROM due d
               LEFT JOIN notification.contacts c
                 ON c.tenant_id = $1 AND c.channel = d.channel AND c.address_key = d.key
         )
         UPDATE notification.messages m
            SET state = CASE WHEN p.why_not IS NULL THEN 'leased'
                             WHEN p.why_not = 'EXPIRED' THEN 'expired' ELSE 'skipped' END,
                error_code = p.why_not,
                error_text = NULL,
                epoch = m.epoch + 1,
                attempts = m.attempts + CASE WHEN p.why_not IS NULL THEN 1 ELSE 0 END,
                lease_until = CASE WHEN p.why_not IS NULL THEN now() + $4::bigint * interval '1 millisecond' END,
                updated_at = now()
           FROM picked p
          WHERE m.tenant_id = $1 AND m.id = p.id
         RETURNING m.id, m.source, m.address, m.content, m.class, m.zone, m.epoch, m.attempts, p.previous, p.why_not,
                   m.traceparent, m.due_at";
    // Notes that advertising leaves for these addresses, as far as their caps allow, and passes over the rest. Whoever noted
    // something of an address holds its row until the commit, so that two senders never have one place between them. How many
    // were granted is kept with them: two transactions may have begun in one microsecond, and have one `now()`. In the order
    // of keys: two senders that write to the same people wait for each other and never in a circle.
    static WITHIN_CAP: (TenantId, Vec<Uuid>, Option<i32>, Option<i32>) => (MessageId,) =
        "WITH wanted AS (
             SELECT m.id, m.channel, notification.address_key(m.address) AS key,
                    row_number() OVER (PARTITION BY m.channel, notification.address_key(m.address) ORDER BY m.id) AS place
               FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.id = ANY ($2)
         ), noted AS (
             INSERT INTO notification.contacts AS c (tenant_id, channel, address_key, sent_at, granted)
             SELECT $1, x.channel, x.key, array_fill(now(), ARRAY[x.granted]), x.granted
               FROM (SELECT channel, key, least(count(*)::int, $3::int, $4::int) AS granted
                       FROM wanted GROUP BY 1, 2 ORDER BY 1, 2) x
             ON CONFLICT (tenant_id, channel, address_key) DO UPDATE
                SET (sent_at, granted) = (
                        SELECT r.week || array_fill(now(), ARRAY[g.granted]), g.granted
                          FROM (SELECT coalesce(array_agg(at ORDER BY at), '{}') AS week, count(*)::int AS in_week,
                                       (count(*) FILTER (WHERE at > now() - interval '1 day'))::int AS in_day
                                  FROM unnest(c.sent_at) AS at
                                 WHERE at > now() - interval '7 days') r
                         CROSS JOIN LATERAL (SELECT greatest(0, least(excluded.granted, $3::int - r.in_day,
                                                                      $4::int - r.in_week)) AS granted) g)
             RETURNING c.channel, c.address_key, c.granted
         )
         UPDATE notification.messages m
            SET state = 'skipped', error_code = 'FREQUENCY_CAP', attempts = m.attempts - 1, lease_until = NULL,
                updated_at = now()
           FROM wanted w JOIN noted n ON n.channel = w.channel AND n.address_key = w.key
          WHERE m.tenant_id = $1 AND m.id = w.id AND w.place > n.granted
         RETURNING m.id";
    // A row that a receipt moved on meanwhile, or that was leased again, is left alone. One that doubt has queued
    // again, while the provider did answer after all, is not sent again; and one that failed meanwhile, as a receipt said of
    // the try before, was taken after all. Locked in the order of ids, as receipts lock. What is asked of the state is asked
    // of the locked rows: of the table, it is an invitation to read all that is in such a state.
    static SETTLE: (TenantId, Vec<Uuid>, Vec<i32>, Vec<String>, Vec<i64>, Vec<Option<String>>, Vec<Option<String>>,
                    Vec<Option<String>>, Vec<i32>) => () =
        "WITH held AS MATERIALIZED (
             SELECT m.id, m.epoch, m.state, m.provider_id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.id = ANY ($2)
              ORDER BY m.id FOR UPDATE
         ), judged AS MATERIALIZED (
             SELECT s.*
               FROM unnest($2::uuid[], $3::int[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::int[])
                    AS s (id, epoch, state, delay, provider_id, error_code, error_text, uncounted)
               JOIN held h ON h.id = s.id AND h.epoch = s.epoch
              WHERE h.state IN ('leased', 'unknown')
                 OR (h.state = 'queued' AND s.state IN ('accepted', 'failed'))
                 OR (h.state = 'failed' AND s.state = 'accepted' AND h.provider_id IS DISTINCT FROM s.provider_id)
         )
         UPDATE notification.messages m
            SET state = j.state,
                due_at = now() + j.delay * interval '1 millisecond',
                provider_id = coalesce(j.provider_id, m.provider_id),
                error_code = j.error_code,
                error_text = j.error_text,
                attempts = m.attempts - j.uncounted,
                unknown_because = CASE WHEN j.state = 'unknown' THEN 'silence' END,
                lease_until = NULL,
                updated_at = now()
           FROM judged j
          WHERE m.tenant_id = $1 AND m.id = j.id";
}

/// Claims due messages.
pub(super) async fn claim(tx: &TenantTx, claim: Claim) -> Result<Vec<Claimed>, DatabaseError> {
    if claim.most == 0 {
        return Ok(Vec::new());
    }
    let (due_at, after) = claim.after.map_or_else(
        || (DateTime::UNIX_EPOCH, Uuid::nil()),
        |(due_at, id)| (due_at, id.as_uuid()),
    );
    let params = (
        tx.tenant(),
        claim.sender,
        i64::try_from(claim.most).unwrap_or(i64::MAX),
        in_milliseconds(claim.lease),
        claim.holder,
        due_at,
        after,
    );
    tx.all(&CLAIM, params).await
}

/// Counts what was claimed for the first time towards the caps of its addresses, and takes out what is beyond them. What waited
/// or failed since was counted then: a later try is not another message.
pub(super) async fn keep_within_cap(
    tx: &TenantTx,
    claimed: &mut [Claimed],
    cap: Cap,
) -> Result<(), DatabaseError> {
    let first = |message: &&Claimed| message.is_to_be_sent() && message.is_marketing() && message.epoch == 1;
    let ids: Vec<Uuid> = claimed
        .iter()
        .filter(first)
        .map(|message| message.id.as_uuid())
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let params = (tx.tenant(), ids, cap.per_day, cap.per_week);
    let beyond: HashSet<MessageId> = tx
        .all(&WITHIN_CAP, params)
        .await?
        .into_iter()
        .map(|(id,)| id)
        .collect();
    for message in claimed.iter_mut().filter(|message| beyond.contains(&message.id)) {
        message.why_not = Some(FREQUENCY_CAP.to_owned());
    }
    Ok(())
}

/// Writes down verdicts, which say by the clock of this process, and as of `now`, when a message is due.
pub(super) async fn settle(
    tx: &TenantTx,
    settled: &[Settled],
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    if settled.is_empty() {
        return Ok(());
    }
    let (ids, epochs, states, delays, provider_ids, codes, texts, uncounted) = arrays(settled, now);
    let params = (
        tx.tenant(),
        ids,
        epochs,
        states,
        delays,
        provider_ids,
        codes,
        texts,
        uncounted,
    );
    tx.execute(&SETTLE, params).await.map(drop)
}

fn arrays(settled: &[Settled], now: DateTime<Utc>) -> Arrays {
    let mut arrays = Arrays::default();
    for one in settled {
        let (state, due, provider_id, error) = match &one.verdict {
            Verdict::Accepted(id) => ("accepted", now, Some(id.clone()), None),
            Verdict::Later { due, code, text, .. } => {
                ("queued", *due, None, Some((code.clone(), text.clone())))
            }
            Verdict::Unknown(until) => ("unknown", *until, None, None),
            Verdict::Failed { code, text } => ("failed", now, None, Some((code.clone(), text.clone()))),
        };
        let (code, text) = error.unzip();
        arrays.0.push(one.id.as_uuid());
        arrays.1.push(one.epoch);
        arrays.2.push(state.to_owned());
        arrays.3.push((due - now).num_milliseconds().max(0));
        arrays.4.push(provider_id);
        arrays.5.push(code);
        arrays.6.push(text);
        arrays.7.push(i32::from(matches!(
            one.verdict,
            Verdict::Later { counts: false, .. }
        )));
    }
    arrays
}

/// A length of time as statements take it.
pub(super) fn in_milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
