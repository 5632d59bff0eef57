//! One run: the work, the lease that is renewed beside it, and the note of how it ended.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use plaza_database::Database;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

use crate::schedules::Declared;
use crate::store::{self, End, Taken};
use crate::{Due, ScheduleError, ScheduleSettings};

/// As much of an error as the row keeps.
const LONGEST_ERROR: usize = 1_000;

/// The pause before the end of a run is written down once more.
const AGAIN: Duration = Duration::from_millis(250);

/// A firing that this process took.
pub(crate) struct Run {
    pub(crate) database: Database,
    pub(crate) settings: ScheduleSettings,
    pub(crate) declared: Declared,
    pub(crate) taken: Taken,
    /// When the lease ends, if it is not renewed, by the clock of this machine.
    pub(crate) held_until: Instant,
    pub(crate) due: Due,
}

/// How it went.
enum Outcome {
    Done,
    Failed(String),
    /// Ended because the process is to end.
    Stopped,
    /// The lease is somebody else's, or over.
    Lost,
}

impl Outcome {
    const fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
        }
    }
}

impl Run {
    /// Does the work and writes down how it ended. Without that (a crash, a dropped task) the lease runs out and the firing
    /// is taken up again.
    pub(crate) async fn make(self) {
        let Due {
            name, at, attempt, ..
        } = self.due;
        let span = tracing::info_span!("schedule", schedule = name, %at, attempt);
        self.make_in_span().instrument(span).await;
    }

    async fn make_in_span(mut self) {
        let began = Instant::now();
        let outcome = self.outcome().await;
        let name = self.declared.name;
        let took = began.elapsed();
        metrics::histogram!("plaza_schedule_run_seconds", "schedule" => name, "outcome" => outcome.label())
            .record(took.as_secs_f64());
        metrics::counter!("plaza_schedule_runs_total", "schedule" => name, "outcome" => outcome.label())
            .increment(1);
        let end = match outcome {
            Outcome::Done => {
                tracing::debug!(micros = took.as_micros(), "a schedule's run is done");
                End::Done
            }
            Outcome::Failed(error) => {
                tracing::warn!(error, "a schedule's run failed");
                End::Failed {
                    error,
                    pause: self.pause(),
                }
            }
            Outcome::Stopped => End::GivenBack,
            Outcome::Lost => {
                tracing::warn!(
                    "a schedule's run was broken off: another process has the firing, or may have it"
                );
                return;
            }
        };
        self.record(&end).await;
    }

    async fn outcome(&mut self) -> Outcome {
        let (due, stop) = (self.due.clone(), self.due.stop.clone());
        let (work, deadline) = (self.declared.work.clone(), self.declared.deadline);
        let patience = self.settings.patience;
        // In a block of its own: work may panic before it has made its future.
        let work = AssertUnwindSafe(async move { work(due).await }).catch_unwind();
        let told = async {
            stop.cancelled().await;
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            biased;
            answer = timeout(deadline, work) => match answer {
                Ok(Ok(Ok(()))) => Outcome::Done,
                Ok(Ok(Err(ScheduleError::Stopped))) => Outcome::Stopped,
                Ok(Ok(Err(ScheduleError::Lost))) => Outcome::Lost,
                Ok(Ok(Err(error))) => Outcome::Failed(chain(&error)),
                Ok(Err(panic)) => Outcome::Failed(said(&*panic)),
                Err(_) => Outcome::Failed(format!("took longer than {deadline:?}")),
            },
            () = told => Outcome::Stopped,
            () = self.keep() => Outcome::Lost,
        }
    }

    /// Renews the lease until it is lost.
    async fn keep(&mut self) {
        let lease = self.settings.lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            let asked = Instant::now();
            let renewal = store::renew(&self.database, self.taken, lease);
            match timeout_at(self.held_until, renewal).await {
                Ok(Ok(true)) => self.held_until = asked + lease,
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(error)) => {
                    let error: &dyn Error = &error;
                    tracing::warn!(error, "the lease of a schedule's run was not renewed");
                    if Instant::now() >= self.held_until {
                        return;
                    }
                }
            }
        }
    }

    /// The pause before the next attempt: doubled with each.
    fn pause(&self) -> Duration {
        let doublings = self.due.attempt.saturating_sub(1).min(30);
        self.settings
            .backoff
            .saturating_mul(1 << doublings)
            .min(self.settings.longest_backoff)
    }

    /// As long as the lease lasts, again and again: a firing whose end nobody knows is repeated.
    async fn record(&self, end: &End) {
        loop {
            match store::end(&self.database, self.taken, end).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!("a schedule's run ended after another process had taken the firing");
                    return;
                }
                Err(error) => {
                    let error: &dyn Error = &error;
                    tracing::warn!(error, "the end of a schedule's run was not recorded");
                }
            }
            if Instant::now() + AGAIN >= self.held_until {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// The error with its causes, shortened; PostgreSQL's text takes no NUL.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    shortened(&text)
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    shortened(&format!("panicked: {}", text.unwrap_or("without a word")))
}

fn shortened(text: &str) -> String {
    text.chars()
        .filter(|character| *character != '\0')
        .take(LONGEST_ERROR)
        .collect()
}
