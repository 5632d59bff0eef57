//! What time leaves behind: expired sessions, tokens, links and proofs are removed every night, once across the fleet; and every
//! process looks after the signing key that it holds in memory.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{DatabaseError, Query, Transaction};
use plaza_kernel::Failure;
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError, Schedules};
use tokio_util::sync::CancellationToken;

use crate::Identity;

/// How long an ended session or a used link is kept, to tell what happened.
const KEPT: TimeDelta = TimeDelta::days(7);
/// How long a client is familiar from which nobody logs in any more.
const FAMILIAR: TimeDelta = TimeDelta::days(90);
/// How many rows one statement removes: short locks, and a stop is never far.
const BATCH: u64 = 1_000;

/// Removing what has expired: at night in Europe, when few log in. Nothing depends on when it is done: what has expired is
/// refused whether it lies there or not.
const TIDY: Schedule = Schedule {
    name: "identity.tidy",
    cron: "17 2 * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(3600),
};

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

    static PROOFS: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.proofs
          WHERE id IN (SELECT id FROM identity.proofs WHERE expires_at < $1 LIMIT $2)";

    static DEVICES: (DateTime<Utc>, i64) => () =
        "DELETE FROM identity.known_devices
          WHERE (user_id, client) IN
                (SELECT user_id, client FROM identity.known_devices WHERE last_at < $1 LIMIT $2)
            AND last_at < $1";
}

/// What identity does by the calendar.
pub(crate) fn schedules(identity: &Identity) -> Schedules {
    let database = identity.database();
    let schedules = plaza_throttle::with_tidying(Schedules::new(), database);
    let schedules = plaza_once::with_tidying(schedules, database);
    let schedules = plaza_vault::rewrapping(schedules, "identity.rewrap", identity.keys().vault());
    let identity = identity.clone();
    schedules.with(TIDY, move |due: Due| {
        let identity = identity.clone();
        Box::pin(async move { identity.tidy(&due.stop).await })
    })
}

impl Identity {
    /// Replaces the signing key when it is due, and finds the one that another process made. Every process has to, by
    /// itself: each holds the key it signs with.
    pub(crate) async fn keep_keys(self, stop: CancellationToken) {
        let interval = Duration::from_secs(self.config().signing_key_check_seconds.max(1).into());
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
        }
    }

    /// Removes what has expired. Told to stop it leaves the rest to whoever takes the firing up.
    async fn tidy(&self, stop: &CancellationToken) -> Result<(), ScheduleError> {
        let now = self.clock().now();
        for (removal, before) in [(&TOKENS, now), (&SESSIONS, now - KEPT), (&LINKS, now - KEPT)] {
            loop {
                goes_on(stop)?;
                let tx = self.database().begin_system();
                let removed = remove(&tx, removal, before).await?;
                tx.commit().await?;
                if removed < BATCH {
                    break;
                }
            }
        }
        let removals: [(&Removal, DateTime<Utc>); 4] = [
            (&PLATFORM_TOKENS, now),
            (&PLATFORM_SESSIONS, now - KEPT),
            (&PROOFS, now - KEPT),
            (&DEVICES, now - FAMILIAR),
        ];
        for (removal, before) in removals {
            loop {
                goes_on(stop)?;
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

fn goes_on(stop: &CancellationToken) -> Result<(), ScheduleError> {
    if stop.is_cancelled() {
        Err(ScheduleError::Stopped)
    } else {
        Ok(())
    }
}

async fn remove(tx: &Transaction, removal: &Removal, before: DateTime<Utc>) -> Result<u64, DatabaseError> {
    tx.execute(removal, (before, BATCH as i64)).await
}
