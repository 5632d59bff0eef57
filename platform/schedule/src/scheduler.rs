//! The scheduler: claims what is due, and waits exactly as long as nothing is.

use std::sync::Arc;
use std::time::Duration;

use plaza_database::{Database, DatabaseError};
use plaza_kernel::Clock;
use plaza_messaging::supervised;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::plan::{Begin, Plan, plan};
use crate::run::Run;
use crate::schedules::Declared;
use crate::store::{self, Taken};
use crate::{Due, ScheduleSettings, ScheduleState, Schedules, state};

/// The pause when something is due that cannot be had: another process has it locked.
const LOCKED: Duration = Duration::from_millis(100);

/// The schedules of one service in this process. Cheap to clone.
#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

struct Inner {
    database: Database,
    schedules: Schedules,
    clock: Clock,
    settings: ScheduleSettings,
}

/// A look at the table: what to run, and how long to wait.
struct Look {
    runs: Vec<Run>,
    pause: Duration,
}

impl Scheduler {
    /// Composes it; does nothing yet. The clock only makes ids.
    pub fn new(database: Database, schedules: Schedules, clock: Clock, settings: ScheduleSettings) -> Self {
        Self(Arc::new(Inner {
            database,
            schedules,
            clock,
            settings,
        }))
    }

    /// Starts it. It ends after `stop`, once the runs that began have ended or were given back.
    pub fn start(self, tasks: &TaskTracker, stop: CancellationToken) {
        if self.0.schedules.is_empty() {
            return;
        }
        let service = self.0.database.service();
        let stopped = stop.clone();
        tasks.spawn(supervised(service, "schedules", stop, move || {
            let (this, stop) = (self.clone(), stopped.clone());
            async move { this.run(&stop).await }
        }));
    }

    /// What the table says, also about schedules that this process does not have.
    pub async fn state(&self) -> Result<Vec<ScheduleState>, DatabaseError> {
        state(&self.0.database).await
    }

    /// Declares the schedules. Done by itself at the start, and now and then.
    pub async fn declare(&self) -> Result<(), DatabaseError> {
        let Inner {
            database,
            schedules,
            settings,
            ..
        } = &*self.0;
        let tx = database.begin_system();
        let now = store::now(&tx).await?;
        // In one order, so that processes that start together wait for each other instead of dying of it.
        for (name, calendar) in schedules.names() {
            if let Some(next) = calendar.next_after(now) {
                store::declare(&tx, name, calendar.pattern(), calendar.zone().name(), next).await?;
            }
        }
        store::forget(&tx, settings.forget).await?;
        tx.commit().await
    }

    /// Without being started: works on what is due now, and says how many runs that were. For tests and one-off commands.
    pub async fn run_due(&self) -> Result<usize, DatabaseError> {
        self.declare().await?;
        let look = self.look(&CancellationToken::new()).await?;
        let count = look.runs.len();
        futures_util::future::join_all(look.runs.into_iter().map(Run::make)).await;
        Ok(count)
    }

    async fn run(&self, stop: &CancellationToken) {
        // Dropped, the runs are broken off; their leases run out.
        let mut underway = JoinSet::new();
        let mut declare_at = Instant::now();
        while !stop.is_cancelled() {
            let pause = match self.turn(&mut underway, &mut declare_at, stop).await {
                Ok(pause) => pause,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(service = %self.0.database.service(), error, "looking for due schedules failed");
                    self.0.settings.poll
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                // The end of a run may be the begin of its schedule's next one.
                _ = underway.join_next(), if !underway.is_empty() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while underway.join_next().await.is_some() {}
    }

    /// One turn: declares if it is time to, and begins what is due.
    async fn turn(
        &self,
        underway: &mut JoinSet<()>,
        declare_at: &mut Instant,
        stop: &CancellationToken,
    ) -> Result<Duration, DatabaseError> {
        if Instant::now() >= *declare_at {
            self.declare().await?;
            *declare_at = Instant::now() + self.0.settings.declare;
        }
        let look = self.look(stop).await?;
        for run in look.runs {
            underway.spawn(run.make());
        }
        Ok(look.pause)
    }

    /// Claims what is due and free, in one transaction.
    async fn look(&self, stop: &CancellationToken) -> Result<Look, DatabaseError> {
        let Inner {
            database,
            schedules,
            settings,
            ..
        } = &*self.0;
        // The lease lasts at least from here on by the clock of this machine.
        let asked = Instant::now();
        let (mut names, mut crons, mut zones) = (Vec::new(), Vec::new(), Vec::new());
        for (name, calendar) in schedules.names() {
            names.push(name.to_owned());
            crons.push(calendar.pattern().to_owned());
            zones.push(calendar.zone().name().to_owned());
        }
        let tx = database.begin_system();
        let found = store::find(&tx, names.clone(), crons, zones).await?;
        let mut runs = Vec::new();
        for row in &found {
            let Some(declared) = schedules.find(&row.name) else {
                continue;
            };
            let Some(plan) = plan(row, &declared.calendar, declared.misfire, settings) else {
                continue;
            };
            note_missed(declared, &plan);
            match &plan.begin {
                Some(begin) => {
                    lateness(declared, row, begin);
                    runs.push(self.take(&tx, declared, begin, &plan, asked, stop).await?);
                }
                None => store::leave_out(&tx, declared.name, &plan).await?,
            }
        }
        let pause = store::pause(&tx, names).await?;
        tx.commit().await?;
        let pause = match pause {
            Some(Duration::ZERO) => LOCKED.min(settings.poll),
            Some(until_due) => until_due.min(settings.poll),
            None => settings.poll,
        };
        Ok(Look { runs, pause })
    }

    async fn take(
        &self,
        tx: &plaza_database::SystemTx,
        declared: &Declared,
        begin: &Begin,
        plan: &Plan,
        asked: Instant,
        stop: &CancellationToken,
    ) -> Result<Run, DatabaseError> {
        let Inner {
            database,
            settings,
            clock,
            ..
        } = &*self.0;
        let holder = clock.uuid();
        let fence = store::take(tx, declared.name, begin, plan, holder, settings.lease).await?;
        let due = Due {
            name: declared.name,
            at: begin.at,
            fence,
            attempt: u32::try_from(begin.attempt).unwrap_or(u32::MAX),
            missed: plan.missed,
            stop: stop.child_token(),
            holder,
        };
        Ok(Run {
            database: database.clone(),
            settings: settings.clone(),
            declared: declared.clone(),
            taken: Taken {
                name: declared.name,
                fence,
                holder,
            },
            held_until: asked + settings.lease,
            due,
        })
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Scheduler").field(&self.0.schedules).finish()
    }
}

fn note_missed(declared: &Declared, plan: &Plan) {
    let name = declared.name;
    if plan.missed > 0 {
        metrics::counter!("plaza_schedule_missed_total", "schedule" => name)
            .increment(u64::from(plan.missed));
        tracing::warn!(schedule = name, missed = plan.missed, "firings were missed");
    }
    if plan.given_up {
        metrics::counter!("plaza_schedule_missed_total", "schedule" => name).increment(1);
        tracing::error!(
            schedule = name,
            "a firing that failed is given up: the next one is due"
        );
    }
}

fn lateness(declared: &Declared, row: &store::Found, begin: &Begin) {
    let late = (row.now - begin.at).to_std().unwrap_or_default();
    metrics::histogram!("plaza_schedule_lateness_seconds", "schedule" => declared.name)
        .record(late.as_secs_f64());
}
