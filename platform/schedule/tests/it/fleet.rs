//! Several processes have the same schedules.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use plaza_schedule::{Misfire, Schedule, Schedules};
use plaza_testkit::eventually;

use crate::office::{Book, LONG, Office, Process, quick, yearly};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_firings_a_tenth_of_a_second_apart_each_is_done_once_by_two_schedulers() {
    let (office, book, at_once) = (
        Office::open().await,
        Book::default(),
        Arc::new(AtomicUsize::new(0)),
    );
    let schedules = || {
        let (book, at_once) = (book.clone(), Arc::clone(&at_once));
        Schedules::new().with(yearly(Misfire::Once), move |due| {
            let (book, at_once) = (book.clone(), Arc::clone(&at_once));
            async move {
                assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                book.note(&due);
                tokio::time::sleep(Duration::from_millis(5)).await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
            .boxed()
        })
    };
    office.scheduler(schedules(), quick()).declare().await.unwrap();
    let processes: Vec<Process> = (0..2)
        .map(|_| Process::start(office.scheduler(schedules(), quick())))
        .collect();

    let mut wanted: Vec<DateTime<Utc>> = Vec::new();
    for _ in 0..20 {
        let last = wanted.last().copied().unwrap_or_default();
        let at = (office.now().await + TimeDelta::milliseconds(50)).max(last + TimeDelta::milliseconds(100));
        let sql = format!("UPDATE office.schedules SET next_at = '{}'", at.to_rfc3339());
        office.run(&sql).await;
        wanted.push(at);
        eventually(LONG, || async {
            office.state().await.runs == i64::try_from(wanted.len()).unwrap()
        })
        .await;
    }

    assert_eq!(book.times(), wanted);
    let state = office.state().await;
    assert_eq!((state.runs, state.failures, state.fence), (20, 0, 20));
    for process in processes {
        process.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_missed_firings_is_worked_off_once_by_four_schedulers() {
    let (office, book) = (Office::open().await, Book::default());
    let schedules = || {
        let schedule = Schedule {
            cron: "0 * * * *",
            ..yearly(Misfire::Each { most: 50 })
        };
        Schedules::new().with(schedule, book.work())
    };
    office.scheduler(schedules(), quick()).declare().await.unwrap();
    office
        .run("UPDATE office.schedules SET next_at = date_trunc('hour', now()) - interval '49 hours'")
        .await;
    let processes: Vec<Process> = (0..4)
        .map(|_| Process::start(office.scheduler(schedules(), quick())))
        .collect();

    eventually(LONG, || async { office.state().await.runs >= 50 }).await;

    let times = book.times();
    let different: BTreeSet<_> = times.iter().collect();
    assert_eq!(different.len(), times.len(), "{times:?}");
    assert!(times.is_sorted() && (50..=51).contains(&times.len()), "{times:?}");
    for process in processes {
        process.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_of_every_second_fires_every_second() {
    let (office, book) = (Office::open().await, Book::default());
    let schedule = Schedule {
        cron: "* * * * * *",
        ..yearly(Misfire::Each { most: 100 })
    };
    let schedules = Schedules::new().with(schedule, book.work());
    let processes: Vec<Process> = (0..2)
        .map(|_| Process::start(office.scheduler(schedules.clone(), quick())))
        .collect();
    eventually(LONG, || async { book.len() >= 4 }).await;
    let times = book.times();
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] - pair[0] == TimeDelta::seconds(1)),
        "{times:?}"
    );
    for process in processes {
        process.end().await;
    }
}
