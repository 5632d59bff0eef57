//! Processes that die and processes that end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plaza_testkit::eventually;

use super::over_every_transport;
use crate::carrier::{PATIENCE, Town};
use crate::ledger::{BookKeeper, Mood};

/// So that what a dead process had claimed is free soon, but long beside the moment between claiming an event and asking the
/// consumer: an event that is claimed again in that moment counts a delivery of which the consumer never hears.
const SHORT_LEASE: Duration = Duration::from_secs(1);

over_every_transport! {
    a_process_killed_in_the_middle_of_an_effect_leaves_the_event_to_be_consumed_again
    processes_that_die_again_and_again_lose_nothing_and_keep_the_order
    an_event_that_kills_its_process_each_time_is_a_dead_letter_in_the_end
    what_was_only_held_when_its_process_died_is_tried_and_not_buried
    failures_and_deaths_are_counted_together
    an_event_that_is_published_twice_has_one_effect
    stopping_waits_for_what_was_begun_and_begins_nothing_new
}

async fn a_process_killed_in_the_middle_of_an_effect_leaves_the_event_to_be_consumed_again(mut town: Town) {
    town.settings.lease = SHORT_LEASE;
    let tenant = town.street.tenant();
    town.street.say(tenant, "a", 1).await;
    town.street.say(tenant, "a", 2).await;
    let hanging = BookKeeper::new(|_| Mood::Hangs);
    let process = town.run(&hanging);
    eventually(PATIENCE, || async { hanging.times_asked() > 0 }).await;
    process.kill();
    assert!(town.street.booked().await.is_empty());

    town.settle(&BookKeeper::diligent(), 2, 0).await;

    assert_eq!(town.street.booked().await, ["a 1", "a 2"]);
}

async fn processes_that_die_again_and_again_lose_nothing_and_keep_the_order(mut town: Town) {
    town.settings.lease = SHORT_LEASE;
    let tenant = town.street.tenant();
    let keeper = BookKeeper::diligent();
    for n in 0..60 {
        for key in ["a", "b"] {
            town.street.say(tenant, key, n).await;
        }
    }

    for goal in [10, 30, 50, 80, 100] {
        let process = town.run(&keeper);
        town.until(goal, 0).await;
        process.kill();
    }
    town.settle(&keeper, 120, 0).await;

    let booked = town.street.booked().await;
    assert_eq!(booked.len(), 120);
    for key in ["a", "b"] {
        let expected: Vec<String> = (0..60).map(|n| format!("{key} {n}")).collect();
        let of_key: Vec<_> = booked
            .iter()
            .filter(|entry| entry.starts_with(key))
            .cloned()
            .collect();
        assert_eq!(of_key, expected);
    }
    assert!(town.dead().await.is_empty());
}

async fn an_event_that_kills_its_process_each_time_is_a_dead_letter_in_the_end(mut town: Town) {
    town.settings.lease = SHORT_LEASE;
    let tenant = town.street.tenant();
    town.street.say(tenant, "a", 1).await;
    let hanging = BookKeeper::new(|event| if event.n == 1 { Mood::Hangs } else { Mood::Books });
    for times in 1..=5 {
        let process = town.run(&hanging);
        eventually(PATIENCE, || async { hanging.times_asked() >= times }).await;
        town.published().await;
        process.kill();
    }
    town.street.say(tenant, "a", 2).await;

    town.settle(&hanging, 1, 1).await;

    assert_eq!(hanging.times_asked(), 5 + 1);
    assert_eq!(town.street.booked().await, ["a 2"]);
    let letters = town.dead().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(
        letters[0].error.contains("the process died"),
        "{}",
        letters[0].error
    );
    assert_eq!(letters[0].attempts.map(|attempts| attempts.min(5)), Some(5));
}

async fn what_was_only_held_when_its_process_died_is_tried_and_not_buried(mut town: Town) {
    town.settings.lease = SHORT_LEASE;
    let tenant = town.street.tenant();
    town.street.say(tenant, "a", 1).await;
    town.street.say(tenant, "a", 2).await;
    let keeper = BookKeeper::new(|event| if event.n == 1 { Mood::Hangs } else { Mood::Fails });
    for times in 1..=5 {
        let process = town.run(&keeper);
        eventually(PATIENCE, || async { keeper.times_asked() >= times }).await;
        town.published().await;
        process.kill();
    }

    town.settle(&keeper, 0, 2).await;

    // Its first delivery died with the process, which counts at the worst.
    let tries = keeper.times_asked() - 5;
    assert!((4..=5).contains(&tries), "{tries}");
    let mut errors: Vec<String> = town.dead().await.into_iter().map(|letter| letter.error).collect();
    errors.sort();
    assert!(errors[0].contains("the process died"), "{errors:?}");
    assert!(errors[1].contains("the pen is empty"), "{errors:?}");
}

async fn failures_and_deaths_are_counted_together(mut town: Town) {
    town.settings.lease = SHORT_LEASE;
    let asked = AtomicUsize::new(0);
    let keeper = BookKeeper::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0..2 => Mood::Fails,
        _ => Mood::Hangs,
    });
    town.street.say(town.street.tenant(), "a", 1).await;
    for times in 3..=5 {
        let process = town.run(&keeper);
        eventually(PATIENCE, || async { keeper.times_asked() >= times }).await;
        town.published().await;
        process.kill();
    }

    town.settle(&keeper, 0, 1).await;

    assert_eq!(keeper.times_asked(), 5);
    assert_eq!(town.street.pending().await.1.deliveries, 0);
}

async fn an_event_that_is_published_twice_has_one_effect(town: Town) {
    let keeper = BookKeeper::diligent();
    let street = &town.street;
    street.say(street.tenant(), "a", 1).await;
    street.run("CREATE TABLE kept AS SELECT * FROM shop.outbox").await;
    town.settle(&keeper, 1, 0).await;

    let copy =
        "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
                SELECT event_id, tenant_id, key, name, version, source, payload, created_at FROM kept";
    street.run(copy).await;
    street.say(street.tenant(), "b", 2).await;
    town.settle(&keeper, 2, 0).await;

    assert_eq!(street.booked().await, ["a 1", "b 2"]);
    assert_eq!(keeper.times_asked(), 2);
}

async fn stopping_waits_for_what_was_begun_and_begins_nothing_new(town: Town) {
    let tenant = town.street.tenant();
    let keeper = BookKeeper::new(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Mood::Books
    });
    let process = town.run(&keeper);
    for n in 0..5 {
        town.street.say(tenant, "a", n).await;
    }
    eventually(PATIENCE, || async { keeper.times_asked() > 0 }).await;

    process.stop().await;

    let booked = town.street.booked().await;
    assert_eq!(booked.len(), keeper.times_asked(), "what was begun is done");
    assert!(booked.len() < 5, "the rest waits for the next start");
    town.settle(&keeper, 5, 0).await;
    let expected: Vec<String> = (0..5).map(|n| format!("a {n}")).collect();
    assert_eq!(town.street.booked().await, expected);
}
