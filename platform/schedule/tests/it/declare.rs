//! What processes declare, and what becomes of it when a program changes.

use std::time::Duration;

use chrono::Timelike;
use chrono_tz::Tz;
use plaza_schedule::{Misfire, NotASchedule, Schedule, Schedules};
use plaza_testkit::eventually;

use crate::office::{Book, LONG, Office, Process, quick, yearly};

#[tokio::test]
async fn a_changed_pattern_takes_effect_and_the_program_before_it_claims_nothing_more() {
    let (office, old_book, new_book) = (Office::open().await, Book::default(), Book::default());
    let old = office.scheduler(
        Schedules::new().with(yearly(Misfire::Once), old_book.work()),
        quick(),
    );
    old.declare().await.unwrap();
    let changed = Schedule {
        cron: "30 4 * * *",
        zone: Tz::Europe__Berlin,
        ..yearly(Misfire::Once)
    };
    let new = office.scheduler(Schedules::new().with(changed, new_book.work()), quick());

    new.declare().await.unwrap();

    let state = office.state().await;
    assert_eq!(
        (state.cron.as_str(), state.zone.as_str()),
        ("30 4 * * *", "Europe/Berlin")
    );
    assert_eq!(state.next_at.with_timezone(&Tz::Europe__Berlin).hour(), 4);
    office.due_since("1 second").await;
    let look = old.run_due();
    // `run_due` declares first, as a process does when it starts: what is due by the pattern of the new program is kept.
    assert_eq!(look.await.unwrap(), 1);
    assert_eq!((old_book.len(), new_book.len()), (1, 0));
    assert_eq!(
        office.state().await.cron,
        "0 3 1 1 *",
        "the program that started last decides"
    );
}

#[tokio::test]
async fn only_processes_of_the_same_pattern_claim() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(Schedules::new().with(yearly(Misfire::Once), book.work()), quick());
    scheduler.declare().await.unwrap();
    office.due_since("1 second").await;
    let process = Process::start(scheduler);
    // It has declared what it has, and will not do so again within the minute.
    eventually(LONG, || async { book.len() == 1 }).await;

    office
        .run("UPDATE office.schedules SET cron = '0 4 * * *', next_at = now() - interval '1 second'")
        .await;

    // Many looks at the table later:
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(book.len(), 1);
    process.end().await;
}

#[tokio::test]
async fn a_renamed_schedule_is_a_new_one_and_nobody_runs_the_old_one() {
    let (office, old_book, new_book) = (Office::open().await, Book::default(), Book::default());
    let old = office.scheduler(
        Schedules::new().with(yearly(Misfire::Once), old_book.work()),
        quick(),
    );
    old.declare().await.unwrap();
    office.due_since("1 second").await;
    let renamed = Schedule {
        name: "office.lamps",
        ..yearly(Misfire::Once)
    };
    let new = office.scheduler(Schedules::new().with(renamed, new_book.work()), quick());

    assert_eq!(
        new.run_due().await.unwrap(),
        0,
        "a new schedule waits for its first time"
    );

    assert_eq!((old_book.len(), new_book.len()), (0, 0));
    let names = |states: Vec<plaza_schedule::ScheduleState>| -> Vec<String> {
        states.into_iter().map(|state| state.name).collect()
    };
    assert_eq!(
        names(new.state().await.unwrap()),
        ["office.lamps", "office.lights"]
    );
    office.run("UPDATE office.schedules SET declared_at = now() - interval '8 days' WHERE name = 'office.lights'").await;
    new.declare().await.unwrap();
    assert_eq!(
        names(new.state().await.unwrap()),
        ["office.lamps"],
        "after a week it is forgotten"
    );
}

#[tokio::test]
async fn declaring_again_changes_nothing() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(Schedules::new().with(yearly(Misfire::Once), book.work()), quick());
    scheduler.declare().await.unwrap();
    office.due_since("1 second").await;
    let before = office.state().await;
    scheduler.declare().await.unwrap();
    assert_eq!(office.state().await, before);
}

#[test]
fn what_is_no_schedule_is_refused_when_it_is_declared() {
    let book = Book::default();
    let refused = |schedule: Schedule| Schedules::new().try_with(schedule, book.work()).unwrap_err();
    let sample = || yearly(Misfire::Skip);
    assert!(matches!(
        refused(Schedule {
            name: "Lights On",
            ..sample()
        }),
        NotASchedule::Name(_)
    ));
    assert!(matches!(
        refused(Schedule { name: "", ..sample() }),
        NotASchedule::Name(_)
    ));
    assert!(matches!(
        refused(Schedule {
            cron: "at noon",
            ..sample()
        }),
        NotASchedule::Pattern { .. }
    ));
    assert!(matches!(
        refused(Schedule {
            cron: "0 0 30 2 *",
            ..sample()
        }),
        NotASchedule::Never(_)
    ));
    assert!(matches!(
        refused(Schedule {
            deadline: Duration::ZERO,
            ..sample()
        }),
        NotASchedule::Deadline(_)
    ));
    let twice = Schedules::new()
        .with(sample(), book.work())
        .try_with(sample(), book.work());
    assert_eq!(
        twice.unwrap_err(),
        NotASchedule::Repeated("office.lights".to_owned())
    );
}

#[test]
#[should_panic(expected = "is no cron pattern")]
fn a_service_with_a_wrong_pattern_does_not_start() {
    let wrong = Schedule {
        cron: "* * * *",
        ..yearly(Misfire::Skip)
    };
    let _ = Schedules::new().with(wrong, Book::default().work());
}
