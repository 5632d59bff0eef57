//! The SQL of schedules. Every change of a firing shows its fence and its holder.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx, row, statements};
use uuid::Uuid;

use crate::plan::{Begin, Plan};

row! {
    /// A schedule with something due.
    #[derive(Debug)]
    pub(crate) struct Found {
        pub(crate) name: String,
        pub(crate) next_at: DateTime<Utc>,
        pub(crate) firing_at: Option<DateTime<Utc>>,
        pub(crate) attempts: i32,
        /// Whether a process had it and did not give it back.
        pub(crate) held: bool,
        pub(crate) now: DateTime<Utc>,
    }
}

/// Which firing, and whose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) name: &'static str,
    pub(crate) fence: i64,
    pub(crate) holder: Uuid,
}

statements! {
    system static NOW: () => (DateTime<Utc>,) = "SELECT now()";

    /// Says that this process has the schedule, and takes over another calendar. A firing that is due by the old one is not
    /// lost: it counts as begun. Nothing is written when all is as it should be.
    system static DECLARE: (String, String, String, DateTime<Utc>) => () =
        "INSERT INTO schedules AS s (name, cron, zone, next_at, declared_at)
         VALUES ($1, $2, $3, $4, now())
             ON CONFLICT (name) DO UPDATE
            SET declared_at = now(),
                cron = excluded.cron,
                zone = excluded.zone,
                firing_at = CASE WHEN (s.cron, s.zone) IS DISTINCT FROM (excluded.cron, excluded.zone)
                                      AND s.firing_at IS NULL AND s.next_at <= now()
                                 THEN s.next_at ELSE s.firing_at END,
                next_at = CASE WHEN (s.cron, s.zone) IS DISTINCT FROM (excluded.cron, excluded.zone)
                               THEN excluded.next_at ELSE s.next_at END
          WHERE (s.cron, s.zone) IS DISTINCT FROM (excluded.cron, excluded.zone)
             OR s.declared_at < now() - interval '1 hour'";

    /// Forgets schedules that nobody has any more.
    system static FORGET: (f64,) => () =
        "DELETE FROM schedules
          WHERE declared_at < now() - make_interval(secs => $1) AND (holder IS NULL OR until <= now())";

    /// What is due and free. The whole row is locked, so that work inside a transaction can hold its firing.
    system static FIND: (Vec<String>, Vec<String>, Vec<String>) => Found =
        "SELECT s.name, s.next_at, s.firing_at, s.attempts, s.holder IS NOT NULL AS held, now() AS now
           FROM schedules s
           JOIN unnest($1::text[], $2::text[], $3::text[]) AS d (name, cron, zone)
             ON (s.name, s.cron, s.zone) = (d.name, d.cron, d.zone)
          WHERE (s.until IS NULL OR s.until <= now())
            AND (s.firing_at IS NOT NULL OR s.next_at <= now())
          ORDER BY s.name
            FOR UPDATE OF s SKIP LOCKED";

    /// Takes a firing. The row is locked by `FIND`.
    system static TAKE: (String, DateTime<Utc>, i32, DateTime<Utc>, i64, Uuid, f64) => (i64,) =
        "UPDATE schedules
            SET firing_at = $2, attempts = $3, next_at = $4, missed = missed + $5,
                fence = fence + 1, holder = $6, until = now() + make_interval(secs => $7), last_began_at = now()
          WHERE name = $1
         RETURNING fence";

    /// Leaves out all that is due. The row is locked by `FIND`.
    system static LEAVE_OUT: (String, DateTime<Utc>, i64) => () =
        "UPDATE schedules
            SET next_at = $2, missed = missed + $3, firing_at = NULL, attempts = 0, holder = NULL, until = NULL
          WHERE name = $1";

    /// Seconds until something is due.
    system static PAUSE: (Vec<String>,) => (Option<f64>,) =
        "SELECT extract(epoch FROM min(CASE WHEN until > now() THEN until
                                            WHEN firing_at IS NOT NULL THEN now()
                                            ELSE next_at END) - now())::float8
           FROM schedules
          WHERE name = ANY ($1)";

    system static RENEW: (String, i64, Uuid, f64) => () =
        "UPDATE schedules SET until = now() + make_interval(secs => $4)
          WHERE name = $1 AND fence = $2 AND holder = $3";

    system static DONE: (String, i64, Uuid) => () =
        "UPDATE schedules
            SET runs = runs + 1, last_firing_at = firing_at, last_ended_at = now(), last_outcome = 'done',
                firing_at = NULL, attempts = 0, holder = NULL, until = NULL
          WHERE name = $1 AND fence = $2 AND holder = $3";

    /// To be tried again after the pause, but looked at no later than the next firing.
    system static FAILED: (String, i64, Uuid, String, f64) => () =
        "UPDATE schedules
            SET failures = failures + 1, last_firing_at = firing_at, last_ended_at = now(), last_outcome = 'failed',
                last_error = $4, holder = NULL,
                until = least(now() + make_interval(secs => $5), greatest(next_at, now()))
          WHERE name = $1 AND fence = $2 AND holder = $3";

    /// Given back uncounted: free at once.
    system static GIVE_BACK: (String, i64, Uuid) => () =
        "UPDATE schedules SET holder = NULL, until = NULL, attempts = attempts - 1
          WHERE name = $1 AND fence = $2 AND holder = $3";
}

/// The database's time.
pub(crate) async fn now(tx: &SystemTx) -> Result<DateTime<Utc>, DatabaseError> {
    Ok(tx.one(&NOW, ()).await?.0)
}

/// Declares one schedule.
pub(crate) async fn declare(
    tx: &SystemTx,
    name: &str,
    cron: &str,
    zone: &str,
    next: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let params = (name.to_owned(), cron.to_owned(), zone.to_owned(), next);
    tx.execute(&DECLARE, params).await.map(drop)
}

/// Forgets schedules that nobody has had for so long.
pub(crate) async fn forget(tx: &SystemTx, after: Duration) -> Result<(), DatabaseError> {
    tx.execute(&FORGET, (after.as_secs_f64(),)).await.map(drop)
}

/// What is due and free, of these names, cron patterns and zones; locked until the transaction ends.
pub(crate) async fn find(
    tx: &SystemTx,
    names: Vec<String>,
    crons: Vec<String>,
    zones: Vec<String>,
) -> Result<Vec<Found>, DatabaseError> {
    tx.all(&FIND, (names, crons, zones)).await
}

/// Takes a firing as planned, and says its fence.
pub(crate) async fn take(
    tx: &SystemTx,
    name: &str,
    begin: &Begin,
    plan: &Plan,
    holder: Uuid,
    lease: Duration,
) -> Result<i64, DatabaseError> {
    let params = (
        name.to_owned(),
        begin.at,
        begin.attempt,
        plan.next,
        missed(plan),
        holder,
        lease.as_secs_f64(),
    );
    Ok(tx.one(&TAKE, params).await?.0)
}

/// Leaves out what is due.
pub(crate) async fn leave_out(tx: &SystemTx, name: &str, plan: &Plan) -> Result<(), DatabaseError> {
    tx.execute(&LEAVE_OUT, (name.to_owned(), plan.next, missed(plan)))
        .await
        .map(drop)
}

fn missed(plan: &Plan) -> i64 {
    i64::from(plan.missed) + i64::from(plan.given_up)
}

/// How long until one of these is due; none if there is none.
pub(crate) async fn pause(tx: &SystemTx, names: Vec<String>) -> Result<Option<Duration>, DatabaseError> {
    let (seconds,) = tx.one(&PAUSE, (names,)).await?;
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}

/// Makes the lease last longer. False if the firing is no longer ours.
pub(crate) async fn renew(database: &Database, taken: Taken, lease: Duration) -> Result<bool, DatabaseError> {
    let params = (
        taken.name.to_owned(),
        taken.fence,
        taken.holder,
        lease.as_secs_f64(),
    );
    Ok(database.begin_system().execute_and_commit(&RENEW, params).await? > 0)
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum End {
    Done,
    Failed { error: String, pause: Duration },
    GivenBack,
}

/// Writes down how a run ended. False if the firing is no longer ours.
pub(crate) async fn end(database: &Database, taken: Taken, end: &End) -> Result<bool, DatabaseError> {
    let Taken { name, fence, holder } = taken;
    let (name, tx) = (name.to_owned(), database.begin_system());
    let touched = match end {
        End::Done => tx.execute_and_commit(&DONE, (name, fence, holder)).await,
        End::GivenBack => tx.execute_and_commit(&GIVE_BACK, (name, fence, holder)).await,
        End::Failed { error, pause } => {
            let params = (name, fence, holder, error.clone(), pause.as_secs_f64());
            tx.execute_and_commit(&FAILED, params).await
        }
    };
    Ok(touched? > 0)
}
