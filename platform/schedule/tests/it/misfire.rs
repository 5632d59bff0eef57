//! Nobody was there when something was due.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Timelike};
use futures_util::FutureExt as _;
use plaza_schedule::{Misfire, Schedule, ScheduleError, Schedules};

use crate::office::{Book, Office, quick, yearly};

/// Runs what is due after an outage of so many minutes of a schedule that fires every minute.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
async fn after_minutes(minutes: i32, misfire: Misfire) -> (Office, Book) {
    let (office, book) = (Office::open().await, Book::default());
    let schedule = Schedule {
        cron: "* * * * *",
        ..yearly(misfire)
    };
    let scheduler = office.scheduler(Schedules::new().with(schedule, book.work()), quick());
    scheduler.declare().await.unwrap();
    let since = format!(
        "UPDATE office.schedules SET next_at = date_trunc('minute', now()) - interval '{minutes} minutes'"
    );
    office.run(&since).await;
    while scheduler.run_due().await.unwrap() > 0 {}
    (office, book)
}

#[tokio::test]
async fn one_run_stands_for_all_that_were_missed() {
    let (office, book) = after_minutes(90, Misfire::Once).await;
    let state = office.state().await;
    let all = book.all();
    // A minute may begin while the test runs.
    assert!((1..=2).contains(&all.len()), "{all:?}");
    assert!((90..=91).contains(&all[0].missed), "{all:?}");
    assert!(state.next_at > all[0].at && state.runs == i64::try_from(all.len()).unwrap());
    assert_eq!(state.missed, i64::from(all[0].missed));
    assert!(
        all[0].at > office.now().await - TimeDelta::minutes(2),
        "the latest of them"
    );
}

#[tokio::test]
async fn each_missed_firing_has_its_run_in_order_up_to_the_most() {
    let (office, book) = after_minutes(90, Misfire::Each { most: 5 }).await;
    let times = book.times();
    assert!((5..=6).contains(&times.len()), "{times:?}");
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] - pair[0] == TimeDelta::minutes(1)),
        "{times:?}"
    );
    let state = office.state().await;
    assert!((86..=87).contains(&state.missed), "{state:?}");
    assert_eq!(book.all()[0].missed, u32::try_from(state.missed).unwrap());
}

#[tokio::test]
async fn fewer_than_the_most_are_all_made_up_for() {
    let (office, book) = after_minutes(3, Misfire::Each { most: 100 }).await;
    assert!((4..=5).contains(&book.len()), "{:?}", book.times());
    assert_eq!(office.state().await.missed, 0);
}

#[tokio::test]
async fn skipped_firings_are_left_out_and_the_next_one_is_waited_for() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(Schedules::new().with(yearly(Misfire::Skip), book.work()), quick());
    scheduler.declare().await.unwrap();
    office.due_since("61 seconds").await;

    assert_eq!(scheduler.run_due().await.unwrap(), 0);

    let state = office.state().await;
    assert_eq!((book.len(), state.missed, state.runs), (0, 1, 0));
    assert!(state.next_at > office.now().await && state.firing_at.is_none());
    assert_eq!((state.next_at.hour(), state.next_at.minute()), (3, 0));
}

#[tokio::test]
async fn a_skipping_schedule_begins_what_is_only_a_little_late() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(Schedules::new().with(yearly(Misfire::Skip), book.work()), quick());
    scheduler.declare().await.unwrap();
    office.due_since("5 seconds").await;
    assert_eq!(scheduler.run_due().await.unwrap(), 1);
    assert_eq!((book.len(), office.state().await.missed), (1, 0));
}

#[tokio::test]
async fn an_outage_of_a_year_of_seconds_costs_nothing_to_find_out() {
    let (office, book) = (Office::open().await, Book::default());
    let schedule = Schedule {
        cron: "* * * * * *",
        ..yearly(Misfire::Once)
    };
    let scheduler = office.scheduler(Schedules::new().with(schedule, book.work()), quick());
    scheduler.declare().await.unwrap();
    office
        .run("UPDATE office.schedules SET next_at = date_trunc('second', now()) - interval '1 year'")
        .await;
    let before = office.now().await;
    assert_eq!(scheduler.run_due().await.unwrap(), 1);
    let due = &book.all()[0];
    assert_eq!(due.missed, 1_000, "counted up to there");
    assert!(before - due.at < TimeDelta::seconds(5), "{due:?}");
}

#[tokio::test]
async fn a_run_that_fails_is_tried_again_until_it_is_done() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(
        Schedules::new().with(yearly(Misfire::Once), {
            let book = book.clone();
            move |due| {
                book.note(&due);
                let result = match due.attempt {
                    1 => Err(ScheduleError::failed("the bulb is broken")),
                    2 => panic!("the ladder fell over"),
                    _ => Ok(()),
                };
                async { result }.boxed()
            }
        }),
        quick(),
    );
    scheduler.declare().await.unwrap();
    office.due_since("1 second").await;

    scheduler.run_due().await.unwrap();
    let failed = office.state().await;
    assert_eq!((failed.failures, failed.attempts, failed.running), (1, 1, false));
    assert_eq!(failed.last_outcome.as_deref(), Some("failed"));
    assert_eq!(
        failed.last_error.as_deref(),
        Some("the work failed: the bulb is broken")
    );
    let paused = "SELECT until - last_ended_at = interval '20 milliseconds' FROM office.schedules";
    let admin = office.database.admin().await;
    assert!(
        admin.query_one(paused, &[]).await.unwrap().get::<_, bool>(0),
        "it waits"
    );
    while book.len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        scheduler.run_due().await.unwrap();
    }

    let done = office.state().await;
    assert_eq!(
        (done.runs, done.failures, done.attempts, done.missed),
        (1, 2, 0, 0)
    );
    assert_eq!(done.last_outcome.as_deref(), Some("done"));
    assert_eq!(done.last_error.as_deref(), Some("panicked: the ladder fell over"));
    assert!(
        book.times().iter().all(|at| *at == book.times()[0]),
        "always the same firing"
    );
    let fences: Vec<i64> = book.all().iter().map(|due| due.fence).collect();
    assert_eq!(fences, [1, 2, 3]);
}

#[tokio::test]
async fn a_firing_that_fails_makes_room_for_the_next_one() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(
        Schedules::new().with(yearly(Misfire::Each { most: 9 }), {
            let book = book.clone();
            move |due| {
                book.note(&due);
                let result = if book.len() == 1 {
                    Err(ScheduleError::failed("dark"))
                } else {
                    Ok(())
                };
                async { result }.boxed()
            }
        }),
        quick(),
    );
    scheduler.declare().await.unwrap();
    office.due_since("1 day").await;
    scheduler.run_due().await.unwrap();
    office.due_since("1 second").await;
    office.run("UPDATE office.schedules SET until = now()").await;

    assert_eq!(scheduler.run_due().await.unwrap(), 1);

    let all = book.all();
    assert!(all[1].at > all[0].at && all[1].attempt == 1, "{all:?}");
    let state = office.state().await;
    assert_eq!((state.runs, state.failures, state.missed), (1, 1, 1));
}

#[tokio::test]
async fn a_run_that_takes_longer_than_its_deadline_is_broken_off_and_has_failed() {
    let office = Office::open().await;
    let begun = Arc::new(AtomicUsize::new(0));
    let schedule = Schedule {
        deadline: Duration::from_millis(30),
        ..yearly(Misfire::Once)
    };
    let counted = Arc::clone(&begun);
    let schedules = Schedules::new().with(schedule, move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending().boxed()
    });
    let scheduler = office.scheduler(schedules, quick());
    scheduler.declare().await.unwrap();
    office.due_since("1 second").await;
    scheduler.run_due().await.unwrap();
    let state = office.state().await;
    assert_eq!((begun.load(Ordering::SeqCst), state.failures), (1, 1));
    assert!(state.last_error.unwrap().contains("took longer"));
}
