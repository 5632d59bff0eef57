//! What time leaves behind: expired sessions, tokens and links are removed, and the signing key is replaced when due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{DatabaseError, Query, Transaction};
use plaza_kernel::Failure;
use tokio_util::sync::CancellationToken;

use crate::Identity;

/// How long an ended session or a used link is kept, to tell what happened.
const KEPT: TimeDelta = TimeDelta::days(7);
/// How many rows one statement removes: short locks, and a stop is never far.
const BATCH: u64 = 1_000;

type Removal = Query<(DateTime<Utc>, i64), ()>;

plaza_database::statements! {
    system static TOKENS: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.refresh_tokens
          WHERE (tenant_id, hash) IN
                (SELECT tenant_id, hash FROM identity.refresh_tokens WHERE expires_at < $1 LIMIT $2)";

    /// Their tokens go with them.
    system static SESSIONS: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.sessions
          WHERE (tenant_id, id) IN
                (SELECT tenant_id, id FROM identity.sessions WHERE absolute_expires_at < $1 LIMIT $2)";

    system static LINKS: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.one_time_tokens
          WHERE (tenant_id, id) IN
                (SELECT tenant_id, id FROM identity.one_time_tokens WHERE expires_at < $1 LIMIT $2)";

    static PLATFORM_TOKENS: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.platform_refresh_tokens
          WHERE hash IN (SELECT hash FROM identity.platform_refresh_tokens WHERE expires_at < $1 LIMIT $2)";

    static PLATFORM_SESSIONS: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.platform_sessions
          WHERE id IN (SELECT id FROM identity.platform_sessions WHERE absolute_expires_at < $1 LIMIT $2)";
}

impl Identity {
    /// Tidies up at every interval until told to stop.
    pub(crate) async fn keep_house(self, stop: CancellationToken) {
        let interval = Duration::from_secs(self.config().housekeeping_seconds.max(1).into());
        while stop
            .run_until_cancelled(tokio::time::sleep(interval))
            .await
            .is_some()
        {
            if let Err(error) = self.keys().renew().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    code = error.code(),
                    "keys not renewed"
                );
            }
            if let Err(error) = self.tidy(&stop).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    code = error.code(),
                    "housekeeping failed"
                );
            }
        }
    }

    /// Removes what has expired.
    async fn tidy(&self, stop: &CancellationToken) -> Result<(), DatabaseError> {
        let now = self.clock().now();
        for (removal, before) in [(&TOKENS, now), (&SESSIONS, now - KEPT), (&LINKS, now - KEPT)] {
            while !stop.is_cancelled() {
                let tx = self.database().begin_system();
                let removed = remove(&tx, removal, before).await?;
                tx.commit().await?;
                if removed < BATCH {
                    break;
                }
            }
        }
        for (removal, before) in [(&PLATFORM_TOKENS, now), (&PLATFORM_SESSIONS, now - KEPT)] {
            while !stop.is_cancelled() {
                let tx = self.database().begin_platform();
                let removed = remove(&tx, removal, before).await?;
                tx.commit().await?;
                if removed < BATCH {
                    break;
                }
            }
        }
        Ok(())
    }
}

async fn remove(tx: &Transaction, removal: &Removal, before: DateTime<Utc>) -> Result<u64, DatabaseError> {
    tx.execute(removal, (before, BATCH as i64)).await
}
