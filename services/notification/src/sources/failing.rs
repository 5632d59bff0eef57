//! Failures that a provider tells of afterwards, counted where they are written down: the worker that handed the messages over
//! has counted them as taken.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::Trip;
use crate::Notification;
use crate::dispatch::{breaker, plans};
use crate::providers::{ErrorClass, class_of};
use crate::terms::{self, BreakerTerms};

row! {
    /// How often the last messages of a source came to the same end.
    struct Ended {
        channel: String,
        sender_id: SenderId,
        is_failed: bool,
        error_code: Option<String>,
        messages: i64,
    }
}

statements! {
    // Only what goes out can be held.
    static GOING: (TenantId, Vec<Uuid>) => (String, DateTime<Utc>) =
        "SELECT x.source, x.updated_at FROM notification.sources x
          WHERE x.tenant_id = $1 AND x.state = 'active'
            AND x.source = ANY (ARRAY(SELECT m.source FROM notification.messages m
                                       WHERE m.tenant_id = $1 AND m.id = ANY ($2) AND m.state = 'failed'))
          ORDER BY x.source";
    // Of the last that a provider told the end of, state by state, which each has its place in an index. What was told before
    // somebody let the source go counts no more: they have seen it.
    static LAST: (TenantId, String, DateTime<Utc>, i64) => Ended =
        "SELECT channel, sender_id, state = 'failed' AS is_failed, error_code, count(*) AS messages
           FROM (SELECT m.id, m.channel, m.sender_id, m.state, m.error_code
                   FROM unnest(ARRAY['sent', 'failed', 'delivered', 'read']) AS s (state)
                  CROSS JOIN LATERAL (SELECT id, channel, sender_id, state, error_code FROM notification.messages
                                       WHERE tenant_id = $1 AND source = $2 AND state = s.state AND updated_at >= $3
                                       ORDER BY id DESC LIMIT $4) AS m
                  ORDER BY m.id DESC LIMIT $4) AS last
          GROUP BY channel, sender_id, state, error_code
          ORDER BY state, error_code";
}

impl Notification {
    /// Holds those of the sources of these messages back of which too many failed.
    pub(crate) async fn trip_those_of(
        &self,
        tenant: TenantId,
        failed: Vec<Uuid>,
    ) -> Result<(), DatabaseError> {
        let tx = self.inner.database.begin(tenant);
        let going = tx.all(&GOING, (tenant, failed)).await?;
        if !going.is_empty() {
            plans::anew(&tx).await?;
            let terms = terms::store::of(&tx).await?.breaker;
            for (source, since) in going {
                let ended = last(&tx, &source, since, terms).await?;
                if let Some(trip) = tripped(&ended, terms, self.inner.clock.now()) {
                    self.trip(&tx, &source, &trip).await?;
                }
            }
        }
        tx.commit().await
    }
}

async fn last(
    tx: &TenantTx,
    source: &str,
    since: DateTime<Utc>,
    terms: BreakerTerms,
) -> Result<Vec<Ended>, DatabaseError> {
    let window = i64::try_from(terms.window.clamp(1, 10_000)).unwrap_or(i64::MAX);
    tx.all(&LAST, (tx.tenant(), source.to_owned(), since, window))
        .await
}

/// What too many failures of one sort trip, by the rule that answers are counted by.
fn tripped(ended: &[Ended], terms: BreakerTerms, at: DateTime<Utc>) -> Option<Trip> {
    let count = |ended: &Ended| u64::try_from(ended.messages).unwrap_or_default();
    let tried: u64 = ended.iter().map(count).sum();
    let mut by_class: HashMap<ErrorClass, (u64, &Ended, &str)> = HashMap::new();
    for one in ended.iter().filter(|ended| ended.is_failed) {
        let code = one.error_code.as_deref().unwrap_or_default();
        let entry = by_class
            .entry(class_of(&one.channel, code))
            .or_insert((0, one, code));
        entry.0 += count(one);
    }
    let most = by_class
        .into_iter()
        .filter(|(class, (failed, ..))| breaker::is_too_many(*class, *failed, tried, terms))
        .max_by_key(|(_, (failed, ..))| *failed);
    most.map(|(class, (failed, one, code))| Trip {
        sender: one.sender_id,
        class: class.name().to_owned(),
        code: code.to_owned(),
        failed,
        tried,
        at,
    })
}
