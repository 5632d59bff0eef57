//! Processes that die, freeze or are told to end in the middle of a run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use plaza_schedule::{Due, Misfire, ScheduleError, ScheduleSettings, Schedules};
use plaza_testkit::eventually;

use crate::office::{Book, LONG, OFFICE, Office, Process, quick, yearly};

/// Work that notes that it began and then never ends.
fn hanging(book: &Book) -> Schedules {
    let book = book.clone();
    Schedules::new().with(yearly(Misfire::Once), move |due| {
        book.note(&due);
        std::future::pending().boxed()
    })
}

/// Waits until a process has said what it has.
async fn declared(office: &Office) {
    let database = office.connections();
    eventually(LONG, || async {
        plaza_schedule::state(&database)
            .await
            .is_ok_and(|all| !all.is_empty())
    })
    .await;
}

fn diligent(book: &Book) -> Schedules {
    Schedules::new().with(yearly(Misfire::Once), book.work())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_firing_of_a_killed_process_is_taken_up_by_another_with_the_same_time() {
    let (office, killed, other) = (Office::open().await, Book::default(), Book::default());
    let settings = ScheduleSettings {
        lease: Duration::from_secs(4),
        ..quick()
    };
    let first = Process::start(office.scheduler(hanging(&killed), settings.clone()));
    declared(&office).await;
    office.due_since("0 seconds").await;
    eventually(LONG, || async { killed.len() == 1 }).await;
    let second = Process::start(office.scheduler(diligent(&other), settings));
    // The lease is renewed for longer than it lasts: nobody takes the firing from a process that lives.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((killed.len(), other.len()), (1, 0));

    first.kill();

    eventually(LONG, || async { office.state().await.runs == 1 }).await;
    assert_eq!(other.times(), killed.times());
    let (before, after) = (killed.all().remove(0), other.all().remove(0));
    assert_eq!((before.attempt, after.attempt), (1, 2));
    assert!(after.fence > before.fence);
    second.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_gives_its_firing_back_at_once() {
    let (office, first_book, other) = (Office::open().await, Book::default(), Book::default());
    let patient = ScheduleSettings {
        // Nobody could wait for this lease.
        lease: Duration::from_secs(3_600),
        ..quick()
    };
    let noted = first_book.clone();
    let polite = Schedules::new().with(yearly(Misfire::Once), move |due| {
        noted.note(&due);
        async move {
            due.stop.cancelled().await;
            Err(ScheduleError::Stopped)
        }
        .boxed()
    });
    let first = Process::start(office.scheduler(polite, patient.clone()));
    declared(&office).await;
    office.due_since("0 seconds").await;
    eventually(LONG, || async { first_book.len() == 1 }).await;

    first.end().await;

    let second = Process::start(office.scheduler(diligent(&other), patient));
    eventually(LONG, || async { office.state().await.runs == 1 }).await;
    assert_eq!(other.times(), first_book.times());
    assert_eq!(
        other.all()[0].attempt,
        1,
        "an end in order is not held against the firing"
    );
    second.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_does_not_listen_is_broken_off_when_the_process_has_waited_long_enough() {
    let (office, book) = (Office::open().await, Book::default());
    let settings = ScheduleSettings {
        patience: Duration::from_millis(50),
        ..quick()
    };
    let process = Process::start(office.scheduler(hanging(&book), settings));
    declared(&office).await;
    office.due_since("0 seconds").await;
    eventually(LONG, || async { book.len() == 1 }).await;
    process.end().await;
    let state = office.state().await;
    assert_eq!((state.running, state.attempts, state.failures), (false, 0, 0));
    assert!(state.firing_at.is_some(), "it is still to be done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_froze_for_longer_than_its_lease_writes_nothing_beside_its_successor() {
    let office = Office::open().await;
    let kept: Arc<Mutex<Option<Due>>> = Arc::default();
    let (frozen, keeps) = (Book::default(), Arc::clone(&kept));
    let noted = frozen.clone();
    let schedules = Schedules::new().with(yearly(Misfire::Once), move |due| {
        *keeps.lock().unwrap() = Some(due.clone());
        noted.note(&due);
        std::future::pending().boxed()
    });
    let first = Process::start(office.scheduler(schedules, quick()));
    declared(&office).await;
    office.due_since("0 seconds").await;
    eventually(LONG, || async { frozen.len() == 1 }).await;
    let due = kept.lock().unwrap().take().unwrap();
    let database = office.connections();
    let held = database.begin_platform();
    due.hold(&held).await.unwrap();

    // The work lives on, in a transaction that holds the firing; what renewed its lease does not.
    first.kill();
    let successor = Book::default();
    let second = Process::start(office.scheduler(diligent(&successor), quick()));
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    assert_eq!(
        successor.len(),
        0,
        "nobody works beside a transaction that holds the firing"
    );
    held.commit().await.unwrap();
    eventually(LONG, || async { office.state().await.runs == 1 }).await;

    let late = database.begin_platform();
    assert!(matches!(due.hold(&late).await, Err(ScheduleError::Lost)));
    let of_system = office.database.of(OFFICE).begin_system();
    assert!(matches!(due.hold(&of_system).await, Err(ScheduleError::Lost)));
    assert_eq!(successor.times(), [due.at]);
    second.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_firing_was_taken_away_is_broken_off_and_changes_nothing() {
    let (office, book) = (Office::open().await, Book::default());
    let ended = Arc::new(tokio::sync::Notify::new());
    struct Ends(Arc<tokio::sync::Notify>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (noted, notify) = (book.clone(), Arc::clone(&ended));
    let schedules = Schedules::new().with(yearly(Misfire::Once), move |due| {
        noted.note(&due);
        let ends = Ends(Arc::clone(&notify));
        async move {
            let _ends = ends;
            std::future::pending().await
        }
        .boxed()
    });
    let process = Process::start(office.scheduler(schedules, quick()));
    declared(&office).await;
    office.due_since("0 seconds").await;
    eventually(LONG, || async { book.len() == 1 }).await;

    office
        .run("UPDATE office.schedules SET fence = fence + 1, until = now() + interval '1 hour'")
        .await;

    tokio::time::timeout(LONG, ended.notified()).await.unwrap();
    process.end().await;
    let state = office.state().await;
    assert_eq!((state.runs, state.failures, state.running), (0, 0, true));
}

#[tokio::test]
async fn a_firing_that_kills_every_process_is_given_up_once_the_next_one_is_due() {
    let (office, book) = (Office::open().await, Book::default());
    let scheduler = office.scheduler(diligent(&book), quick());
    scheduler.declare().await.unwrap();
    let died = |times: i32| {
        format!(
            "UPDATE office.schedules SET firing_at = now() - interval '1 day', next_at = now(), attempts = {times},
                    holder = '018f0000-0000-7000-8000-000000000000', until = now()"
        )
    };
    office.run(&died(4)).await;
    scheduler.run_due().await.unwrap();
    assert_eq!(book.all()[0].attempt, 5, "it may have been a deploy");

    office.run(&died(5)).await;
    scheduler.run_due().await.unwrap();
    assert_eq!(book.all()[1].attempt, 1, "the next one");
    assert!(book.times()[1] > book.times()[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_after_its_firing_was_taken_away_changes_nothing() {
    let (office, book) = (Office::open().await, Book::default());
    let settings = ScheduleSettings {
        // Not renewed while this test runs, so the run does not learn of its loss.
        lease: Duration::from_secs(3_600),
        ..quick()
    };
    let go = Arc::new(tokio::sync::Notify::new());
    let (noted, gone) = (book.clone(), Arc::clone(&go));
    let schedules = Schedules::new().with(yearly(Misfire::Once), move |due| {
        let gone = Arc::clone(&gone);
        noted.note(&due);
        async move {
            gone.notified().await;
            Ok(())
        }
        .boxed()
    });
    let process = Process::start(office.scheduler(schedules, settings));
    declared(&office).await;
    office.due_since("0 seconds").await;
    eventually(LONG, || async { book.len() == 1 }).await;
    office.run("UPDATE office.schedules SET fence = fence + 1").await;
    let before = office.state().await;

    go.notify_one();

    process.end().await;
    assert_eq!(office.state().await, before);
}
