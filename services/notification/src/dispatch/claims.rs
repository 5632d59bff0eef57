//! All SQL that claims messages and writes down what became of them. What is due and which lease holds is measured by the
//! database's clock alone: those of the processes may differ, and may be set.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_database::{DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::verdict::Verdict;

row! {
    /// A message that was claimed, or skipped because its address is suppressed.
    #[derive(Debug)]
    pub(super) struct Claimed {
        pub(super) id: MessageId,
        pub(super) source: String,
        pub(super) address: String,
        pub(super) content: String,
        pub(super) epoch: i32,
        pub(super) attempts: i32,
        pub(super) suppressed: bool,
        pub(super) traceparent: Option<String>,
    }
}

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
    // Only the holder of the lease claims, and only for a sender that is not stopped. Suppression is looked at in the
    // statement that leases: an opt-out that committed before is honoured.
    static CLAIM: (TenantId, SenderId, i64, i64, Uuid) => Claimed =
        "WITH picked AS (
             SELECT m.id,
                    EXISTS (SELECT FROM notification.suppressions s
                             WHERE s.tenant_id = $1 AND s.channel = m.channel AND s.address = m.address) AS suppressed
               FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.sender_id = $2 AND m.state = 'queued' AND m.due_at <= now()
                AND EXISTS (SELECT FROM notification.sender_leases l
                             WHERE l.tenant_id = $1 AND l.sender_id = $2 AND l.holder = $5 AND l.until > now())
                AND EXISTS (SELECT FROM notification.senders s
                             WHERE s.tenant_id = $1 AND s.id = $2 AND s.status = 'active')
              ORDER BY m.due_at, m.id
              LIMIT $3
                FOR UPDATE OF m SKIP LOCKED
         )
         UPDATE notification.messages m
            SET state = CASE WHEN p.suppressed THEN 'skipped' ELSE 'leased' END,
                error_code = CASE WHEN p.suppressed THEN 'SUPPRESSED' END,
                error_text = NULL,
                epoch = m.epoch + 1,
                attempts = m.attempts + CASE WHEN p.suppressed THEN 0 ELSE 1 END,
                lease_until = CASE WHEN p.suppressed THEN NULL ELSE now() + $4::bigint * interval '1 millisecond' END,
                updated_at = now()
           FROM picked p
          WHERE m.tenant_id = $1 AND m.id = p.id
         RETURNING m.id, m.source, m.address, m.content, m.epoch, m.attempts, p.suppressed, m.traceparent";
    // A row that a receipt moved on meanwhile, or that was leased again, is left alone. One that doubt has queued
    // again, while the provider did answer after all, is not sent again. Locked in the order of ids, as receipts lock.
    static SETTLE: (TenantId, Vec<Uuid>, Vec<i32>, Vec<String>, Vec<i64>, Vec<Option<String>>, Vec<Option<String>>,
                    Vec<Option<String>>, Vec<i32>) => () =
        "WITH held AS (
             SELECT m.id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.id = ANY ($2)
              ORDER BY m.id FOR UPDATE
         )
         UPDATE notification.messages m
            SET state = s.state,
                due_at = now() + s.delay * interval '1 millisecond',
                provider_id = coalesce(s.provider_id, m.provider_id),
                error_code = s.error_code,
                error_text = s.error_text,
                attempts = m.attempts - s.uncounted,
                unknown_because = CASE WHEN s.state = 'unknown' THEN 'silence' END,
                lease_until = NULL,
                updated_at = now()
           FROM unnest($2::uuid[], $3::int[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::int[])
                AS s (id, epoch, state, delay, provider_id, error_code, error_text, uncounted)
           JOIN held ON held.id = s.id
          WHERE m.tenant_id = $1 AND m.id = s.id AND m.epoch = s.epoch
            AND (m.state IN ('leased', 'unknown') OR (m.state = 'queued' AND s.state IN ('accepted', 'failed')))";
}

/// Claims due messages.
pub(super) async fn claim(tx: &TenantTx, claim: Claim) -> Result<Vec<Claimed>, DatabaseError> {
    if claim.most == 0 {
        return Ok(Vec::new());
    }
    let Claim {
        sender,
        holder,
        lease,
        most,
    } = claim;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let params = (tx.tenant(), sender, most, in_milliseconds(lease), holder);
    tx.all(&CLAIM, params).await
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
