//! Sending once more what a provider took, and could not deliver for a reason that may pass: a telephone that is switched
//! off, a carrier that is away. Once, and later: more would be a nuisance to everybody.

use std::collections::BTreeMap;
use std::time::Duration;

use plaza_contracts::ids::MessageId;
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::learn::failed;
use super::store::Moved;
use crate::Notification;
use crate::config::milliseconds;
use crate::providers::ErrorClass;
use crate::sources::{self, Standing};

/// So many times the first delay after a refusal: what is away is not back at once.
const PATIENCE: u64 = 60;

/// The longest that it is waited.
const LONGEST: u64 = 3_600_000;

statements! {
    // One copy of it has failed and no more: each has an id of the provider's. Why it failed stays with it, to be seen while
    // it waits.
    static AGAIN: (TenantId, Vec<Uuid>, i64, bool) => () =
        "WITH once AS (
             SELECT m.id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.id = ANY ($2) AND m.state = 'failed'
                AND (SELECT count(DISTINCT r.provider_id) FROM notification.receipts r
                      WHERE r.tenant_id = $1 AND r.message_id = m.id AND r.status = 'failed') = 1
              ORDER BY m.id FOR NO KEY UPDATE
         )
         UPDATE notification.messages m
            SET state = 'queued', epoch = m.epoch + 1, unknown_because = NULL, lease_until = NULL, updated_at = now(),
                due_at = now() + $3::bigint * interval '1 millisecond'
                         + CASE WHEN $4 THEN interval '1000 years' ELSE interval '0' END
           FROM once
          WHERE m.tenant_id = $1 AND m.id = once.id";
}

impl Notification {
    /// Queues those again that failed for what may pass. After the receipts are committed: a source is locked before any of
    /// its messages is. What a crash in between leaves stays failed, and whoever asked for it may have it tried again.
    pub(super) async fn send_again(&self, tenant: TenantId, moved: &[Moved]) -> Result<(), DatabaseError> {
        let mut sources: BTreeMap<&str, Vec<MessageId>> = BTreeMap::new();
        for failed in failed(moved).filter(|failed| failed.class == ErrorClass::Backoff) {
            let message = failed.message;
            sources.entry(&message.source).or_default().push(message.id);
        }
        for (source, messages) in sources {
            let tx = self.inner.database.begin(tenant);
            let standing = sources::store::share(&tx, source, self.inner.clock.now()).await?;
            if standing != Standing::Cancelled {
                again(&tx, messages, self.delay(), standing).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// ±20 %, so that not all of them come back together.
    fn delay(&self) -> Duration {
        let base = self.inner.config.retry_milliseconds.saturating_mul(PATIENCE);
        let spread = base.min(LONGEST) as f64 * (0.8 + 0.4 * rand::random::<f64>());
        milliseconds(spread as u64)
    }
}

async fn again(
    tx: &TenantTx,
    messages: Vec<MessageId>,
    delay: Duration,
    standing: Standing,
) -> Result<(), DatabaseError> {
    let ids = messages.iter().map(|id| id.as_uuid()).collect();
    let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    let params = (tx.tenant(), ids, delay, standing == Standing::Held);
    tx.execute(&AGAIN, params).await.map(drop)
}
