//! Queueing failed messages of a source again.

use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::change::ChangeError;
use super::{Standing, store};
use crate::dispatch::plans;
use crate::providers::{self, ErrorClass};
use crate::{Notification, dispatch};

statements! {
    static FAILURES: (TenantId, String) => (String, String) =
        "SELECT DISTINCT channel, error_code FROM notification.messages
          WHERE tenant_id = $1 AND source = $2 AND state = 'failed' AND error_code IS NOT NULL";
    // As if they had never been tried, but for two things: whatever an earlier try is answered late finds another epoch, and
    // what the provider wanted to see a day later waits for the day to be over.
    static REQUEUE: (TenantId, String, Vec<String>, Vec<String>, bool, i64, Uuid) => (Option<Uuid>, i64) =
        "WITH part AS (
             SELECT m.id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.source = $2 AND m.state = 'failed' AND m.error_code = ANY ($3) AND m.id > $7
              ORDER BY m.id LIMIT $6 FOR NO KEY UPDATE
         ), requeued AS (
             UPDATE notification.messages m
                SET state = 'queued', epoch = m.epoch + 1, attempts = 0, resends = 0, unknown_because = NULL,
                    lease_until = NULL, error_code = NULL, error_text = NULL, updated_at = now(),
                    due_at = CASE WHEN m.error_code = ANY ($4) THEN greatest(now(), m.updated_at + interval '1 day')
                                  ELSE now() END
                             + CASE WHEN $5 THEN interval '1000 years' ELSE interval '0' END
               FROM part
              WHERE m.tenant_id = $1 AND m.id = part.id
             RETURNING 1
         )
         SELECT (SELECT id FROM part ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM requeued)";
}

/// A part of the failed messages of a source that was queued again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requeued {
    pub(crate) messages: u64,
    /// Whether there may be more of them.
    pub(crate) more: bool,
    /// The last of them.
    pub(crate) last: Option<Uuid>,
}

/// Why a message failed of which nobody knows whether it arrived: it is sent again only for whoever says so.
const UNCERTAIN: &str = "OUTCOME_UNKNOWN";

impl Notification {
    /// Queues some of the failed messages of a source again, those after this one: those of the named failures, and of all
    /// that may pass where none is named. Who goes on after the last one meets no message twice, however soon it fails again.
    pub(crate) async fn retry_failed(
        &self,
        tenant: TenantId,
        source: &str,
        named: &[String],
        after: Uuid,
    ) -> Result<Requeued, ChangeError> {
        let tx = self.inner.database.begin(tenant);
        let standing = store::share(&tx, source, self.inner.clock.now()).await?;
        if standing == Standing::Cancelled {
            return Err(ChangeError::Cancelled);
        }
        plans::anew(&tx).await?;
        let codes = codes(&tx, source, named).await?;
        let part = requeue(&tx, source, codes, (standing, after)).await?;
        if part.messages > 0 {
            tx.signal_on_commit(dispatch::DUE);
        }
        tx.commit().await?;
        Ok(part)
    }
}

/// The failures that may pass, and which of them the provider wants to see a day later.
async fn codes(
    tx: &TenantTx,
    source: &str,
    named: &[String],
) -> Result<(Vec<String>, Vec<String>), DatabaseError> {
    let failures = tx.all(&FAILURES, (tx.tenant(), source.to_owned())).await?;
    let (mut codes, mut paced) = (Vec::new(), Vec::new());
    for (channel, code) in failures {
        let class = providers::class_of(&channel, &code);
        let wanted = if named.is_empty() {
            may_pass(class) && code != UNCERTAIN
        } else {
            named.contains(&code) && (may_pass(class) || code == UNCERTAIN)
        };
        if wanted {
            paced.extend((class == ErrorClass::Pacing).then(|| code.clone()));
            codes.push(code);
        }
    }
    Ok((codes, paced))
}

/// Whether a failure may be another one next time. What is wrong with the message, or with its recipient, stays wrong.
fn may_pass(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Backoff
        | ErrorClass::Throttled
        | ErrorClass::Pair
        | ErrorClass::Pacing
        | ErrorClass::StopSender
        | ErrorClass::Credentials
        | ErrorClass::Template { .. } => true,
        ErrorClass::Final | ErrorClass::Unreachable | ErrorClass::OptedOut | ErrorClass::WindowClosed => {
            false
        }
    }
}

async fn requeue(
    tx: &TenantTx,
    source: &str,
    (codes, paced): (Vec<String>, Vec<String>),
    (standing, after): (Standing, Uuid),
) -> Result<Requeued, DatabaseError> {
    if codes.is_empty() {
        return Ok(Requeued::default());
    }
    let held = standing == Standing::Held;
    let params = (
        tx.tenant(),
        source.to_owned(),
        codes,
        paced,
        held,
        store::BATCH,
        after,
    );
    let (last, messages) = tx.one(&REQUEUE, params).await?;
    Ok(Requeued {
        messages: u64::try_from(messages).unwrap_or_default(),
        more: messages >= store::BATCH,
        last,
    })
}
