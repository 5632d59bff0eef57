//! A small service to test with: an office that has things to do at certain times.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_database::{Database, Schema};
use plaza_kernel::{Clock, ServiceName};
use plaza_schedule::{
    Due, Misfire, Schedule, ScheduleError, ScheduleSettings, ScheduleState, Scheduler, Schedules,
};
use plaza_testkit::TestDatabase;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const OFFICE: ServiceName = ServiceName::new("office");

/// What no machine is too slow for.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn schema() -> Schema {
    Schema::new(OFFICE, &[]).with(plaza_schedule::migrations())
}

/// A schedule that by itself fires once a year, in the distance: tests say when it is due.
pub(crate) fn yearly(misfire: Misfire) -> Schedule {
    Schedule {
        name: "office.lights",
        cron: "0 3 1 1 *",
        zone: Tz::UTC,
        misfire,
        deadline: LONG,
    }
}

/// Settings in milliseconds.
pub(crate) fn quick() -> ScheduleSettings {
    ScheduleSettings {
        poll: Duration::from_millis(25),
        lease: Duration::from_secs(2),
        backoff: Duration::from_millis(20),
        longest_backoff: Duration::from_millis(200),
        ..ScheduleSettings::default()
    }
}

/// What was done, in order.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Vec<Due>>>);

impl Book {
    pub(crate) fn note(&self, due: &Due) {
        self.0.lock().unwrap().push(due.clone());
    }

    pub(crate) fn all(&self) -> Vec<Due> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    pub(crate) fn times(&self) -> Vec<DateTime<Utc>> {
        self.all().iter().map(|due| due.at).collect()
    }

    /// Work that only writes into this book.
    pub(crate) fn work(&self) -> impl Fn(Due) -> BoxFuture<'static, Result<(), ScheduleError>> + use<> {
        let book = self.clone();
        move |due| {
            book.note(&due);
            async { Ok(()) }.boxed()
        }
    }
}

/// A process: schedulers started in it end when it is killed, without a word.
pub(crate) struct Process {
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Process {
    pub(crate) fn start(scheduler: Scheduler) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let entered = runtime.enter();
        scheduler.start(&tasks, stop.clone());
        drop(entered);
        tasks.close();
        Self {
            tasks,
            stop,
            runtime: Some(runtime),
        }
    }

    /// Ends it in order.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        self.tasks.wait().await;
        self.shut();
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(mut self) {
        self.shut();
    }

    fn shut(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shut();
    }
}

/// An office on a database of its own.
pub(crate) struct Office {
    pub(crate) database: TestDatabase,
}

impl Office {
    pub(crate) async fn open() -> Self {
        Self {
            database: TestDatabase::fresh(&[schema()]).await,
        }
    }

    /// Connections of their own, as another process has them.
    pub(crate) fn connections(&self) -> Database {
        plaza_database::Databases::new(self.database.settings())
            .unwrap()
            .of(OFFICE, plaza_database::Login::default())
            .unwrap()
    }

    pub(crate) fn scheduler(&self, schedules: Schedules, settings: ScheduleSettings) -> Scheduler {
        Scheduler::new(self.connections(), schedules, Clock::system(), settings)
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.database.admin().await.batch_execute(sql).await.unwrap();
    }

    /// Makes the schedule due: since as long as this SQL interval says.
    pub(crate) async fn due_since(&self, interval: &str) {
        let sql = format!("UPDATE office.schedules SET next_at = now() - interval '{interval}'");
        self.run(&sql).await;
    }

    pub(crate) async fn state(&self) -> ScheduleState {
        let mut all = plaza_schedule::state(&self.database.of(OFFICE)).await.unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.database
            .admin()
            .await
            .query_one("SELECT now()", &[])
            .await
            .unwrap()
            .get(0)
    }
}
