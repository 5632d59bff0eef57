//! What became of the messages of a source.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, statements};
use plaza_kernel::TenantId;
use tokio::time::Instant;

use super::store::{self, Stands};
use crate::Notification;
use crate::messages::store::patiently;

/// How long looking at the messages may take, waiting for the turn included: whoever asks does not wait longer, and the
/// database is not to go on for nobody.
const PATIENCE: Duration = Duration::from_secs(7);

statements! {
    static BY_STATE: (TenantId, String) => (String, i64, DateTime<Utc>) =
        "SELECT state, count(*), max(updated_at) FROM notification.messages
          WHERE tenant_id = $1 AND source = $2 GROUP BY state";
    static BY_ERROR: (TenantId, String) => (Option<String>, Option<String>, i64) =
        "SELECT error_code, max(error_text), count(*) FROM notification.messages
          WHERE tenant_id = $1 AND source = $2 AND state = 'failed'
          GROUP BY error_code ORDER BY count(*) DESC, error_code LIMIT 20";
}

/// What became of the messages of a source.
pub(crate) struct Report {
    /// How many are in each state.
    pub(crate) by_state: BTreeMap<String, u64>,
    /// Code, words and number of the most frequent failures.
    pub(crate) by_error: Vec<(Option<String>, Option<String>, u64)>,
    /// When the last thing became known.
    pub(crate) last_at: Option<DateTime<Utc>>,
    pub(crate) stands: Stands,
}

impl Notification {
    /// What became of the messages of a source. Looks at each of them, which takes long where there are many: one at a time,
    /// so that it does not take the connections of those who send.
    pub(crate) async fn report(&self, tenant: TenantId, source: &str) -> Result<Report, DatabaseError> {
        let until = Instant::now() + PATIENCE;
        let left = || until.saturating_duration_since(Instant::now());
        let turn = tokio::time::timeout_at(until, self.inner.counting.take(tenant)).await;
        let _turn = turn.map_err(|_| DatabaseError::Busy)?;
        let tx = self.inner.database.begin(tenant);
        patiently(&tx, left()).await?;
        let states = tx.all(&BY_STATE, (tenant, source.to_owned())).await?;
        patiently(&tx, left()).await?;
        let errors = tx.all(&BY_ERROR, (tenant, source.to_owned())).await?;
        let stands = store::of(&tx, source).await?;
        tx.commit().await?;
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(Report {
            last_at: states.iter().map(|(_, _, at)| *at).max(),
            by_state: states
                .into_iter()
                .map(|(state, many, _)| (state, count(many)))
                .collect(),
            by_error: errors
                .into_iter()
                .map(|(code, text, many)| (code, text, count(many)))
                .collect(),
            stands,
        })
    }
}
