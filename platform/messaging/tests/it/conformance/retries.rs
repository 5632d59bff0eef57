//! Trying again, giving up, and beginning anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plaza_messaging::{Which, outbox};

use super::over_every_transport;
use crate::carrier::{BOOK, Town};
use crate::ledger::{BookKeeper, Counted, Mood};

over_every_transport! {
    what_fails_is_delivered_five_times_and_then_a_dead_letter_while_its_key_goes_on
    the_delays_are_kept
    what_recovers_is_consumed_once
    what_is_refused_for_good_is_a_dead_letter_at_once
    a_panicking_consumer_is_a_failed_delivery_and_the_rest_goes_on
    an_effect_that_takes_too_long_is_rolled_back_and_counted
    an_unreadable_body_an_unknown_version_and_a_missing_tenant_are_dead_letters_at_once
    a_replayed_dead_letter_is_delivered_again_with_all_its_tries
    dead_letters_are_replayed_and_discarded_one_by_one
}

async fn what_fails_is_delivered_five_times_and_then_a_dead_letter_while_its_key_goes_on(town: Town) {
    let tenant = town.street.tenant();
    let keeper = BookKeeper::new(|event| if event.n == 13 { Mood::Fails } else { Mood::Books });
    let poison = town.street.say(tenant, "poisoned", 13).await;
    town.street.say(tenant, "poisoned", 14).await;
    town.street.say(tenant, "healthy", 1).await;

    town.settle(&keeper, 2, 1).await;

    assert_eq!(keeper.times_asked(), 5 + 2);
    let mut booked = town.street.booked().await;
    booked.sort();
    assert_eq!(booked, ["healthy 1", "poisoned 14"]);
    let letters = town.dead().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(letter.queue, BOOK);
    assert_eq!(letter.event_id, Some(poison));
    assert_eq!(letter.name.as_deref(), Some("shop.counted"));
    assert_eq!(letter.tenant_id, Some(tenant));
    assert_eq!(letter.key.as_deref(), Some("poisoned"));
    assert_eq!(letter.attempts, Some(5));
    assert_eq!(letter.payload, r#"{"key":"poisoned","n":13}"#);
    assert!(letter.error.contains("the pen is empty"), "{}", letter.error);
    assert!(letter.died_at.is_some());
}

async fn the_delays_are_kept(mut town: Town) {
    town.settings.delays = [400, 200, 600].map(Duration::from_millis).to_vec();
    let asked_at: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let keeper = BookKeeper::new({
        let asked_at = Arc::clone(&asked_at);
        move |_| {
            asked_at.lock().unwrap().push(Instant::now());
            Mood::Fails
        }
    });
    town.street.say(town.street.tenant(), "a", 1).await;

    town.settle(&keeper, 0, 1).await;

    let asked_at = asked_at.lock().unwrap();
    let pauses: Vec<u128> = asked_at
        .windows(2)
        .map(|two| (two[1] - two[0]).as_millis())
        .collect();
    assert_eq!(pauses.len(), 3, "{pauses:?}");
    assert!(
        pauses[0] >= 400 && pauses[1] >= 200 && pauses[2] >= 600,
        "{pauses:?}"
    );
}

async fn what_recovers_is_consumed_once(town: Town) {
    let tries = AtomicUsize::new(0);
    let keeper = BookKeeper::new(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0..3 => Mood::Fails,
        _ => Mood::Books,
    });
    town.street.say(town.street.tenant(), "a", 1).await;

    town.settle(&keeper, 1, 0).await;

    assert_eq!(keeper.times_asked(), 4);
    assert_eq!(town.street.booked().await, ["a 1"]);
    assert_eq!(town.street.pending().await.1.deliveries, 0);
}

async fn what_is_refused_for_good_is_a_dead_letter_at_once(town: Town) {
    let keeper = BookKeeper::new(|_| Mood::Refuses);
    town.street.say(town.street.tenant(), "a", 1).await;

    town.settle(&keeper, 0, 1).await;

    assert_eq!(keeper.times_asked(), 1);
    assert_eq!(town.dead().await[0].attempts, Some(1));
    assert!(town.street.booked().await.is_empty());
}

async fn a_panicking_consumer_is_a_failed_delivery_and_the_rest_goes_on(town: Town) {
    let tenant = town.street.tenant();
    let keeper = BookKeeper::new(|event| if event.n == 13 { Mood::Panics } else { Mood::Books });
    town.street.say(tenant, "a", 13).await;
    town.street.say(tenant, "a", 14).await;

    town.settle(&keeper, 1, 1).await;

    assert_eq!(town.street.booked().await, ["a 14"]);
    let letters = town.dead().await;
    assert_eq!(letters[0].attempts, Some(5));
    assert!(
        letters[0].error.contains("fell into the river"),
        "{}",
        letters[0].error
    );
}

async fn an_effect_that_takes_too_long_is_rolled_back_and_counted(mut town: Town) {
    town.settings.deadline = Duration::from_secs(1);
    let hanging = BookKeeper::new(|_| Mood::Hangs);
    town.street.say(town.street.tenant(), "a", 1).await;

    town.settle(&hanging, 0, 1).await;

    assert_eq!(hanging.times_asked(), 5);
    assert!(town.street.booked().await.is_empty());
    assert!(town.dead().await[0].error.contains("took longer"));
}

async fn an_unreadable_body_an_unknown_version_and_a_missing_tenant_are_dead_letters_at_once(town: Town) {
    let keeper = BookKeeper::diligent();
    let (street, tenant) = (&town.street, town.street.tenant());
    for (id, version, body) in [("1", 1, "{\"key\":"), ("2", 2, "{\"key\":\"a\",\"n\":1}")] {
        let id = format!("00000000-0000-0000-0000-00000000000{id}");
        street
            .run(&format!(
                "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
                 VALUES ('{id}', '{tenant}', 'a', 'shop.counted', {version}, 'shop', '{body}', now())"
            ))
            .await;
    }
    let platform = street.shop.begin_platform();
    let event = Counted {
        key: "b".to_owned(),
        n: 3,
    };
    outbox::append(&platform, &street.clock, &event).await.unwrap();
    platform.commit().await.unwrap();
    street.say(tenant, "a", 4).await;

    town.settle(&keeper, 1, 3).await;

    assert_eq!(street.booked().await, ["a 4"]);
    assert_eq!(keeper.times_asked(), 1);
    let letters = town.dead().await;
    let mut errors: Vec<(Option<i32>, &str)> = letters
        .iter()
        .map(|letter| (letter.attempts, letter.error.as_str()))
        .collect();
    errors.sort_unstable();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(
        errors.iter().all(|(attempts, _)| *attempts == Some(1)),
        "{errors:?}"
    );
    assert!(
        errors[0].1.contains("EOF") && errors[1].1.contains("version 2"),
        "{errors:?}"
    );
    assert!(errors[2].1.contains("no tenant"), "{errors:?}");
}

async fn a_replayed_dead_letter_is_delivered_again_with_all_its_tries(town: Town) {
    let event = town.street.say(town.street.tenant(), "a", 1).await;
    town.settle(&BookKeeper::new(|_| Mood::Fails), 0, 1).await;
    let letters = town.dead_letters();

    assert_eq!(letters.replay(BOOK, Which::One(event)).await.unwrap(), 1);
    let stubborn = BookKeeper::new(|_| Mood::Fails);
    town.settle(&stubborn, 0, 1).await;
    assert_eq!(stubborn.times_asked(), 5);
    assert_eq!(letters.replay(BOOK, Which::All).await.unwrap(), 1);
    assert_eq!(letters.replay(BOOK, Which::All).await.unwrap(), 0);
    town.settle(&BookKeeper::diligent(), 1, 0).await;

    assert_eq!(town.street.booked().await, ["a 1"]);
    assert!(town.dead().await.is_empty());
}

async fn dead_letters_are_replayed_and_discarded_one_by_one(town: Town) {
    let tenant = town.street.tenant();
    let mut events = Vec::new();
    for n in 0..4 {
        events.push(town.street.say(tenant, "a", n).await);
    }
    town.settle(&BookKeeper::new(|_| Mood::Refuses), 0, 4).await;
    let letters = town.dead_letters();

    assert_eq!(letters.discard(BOOK, Which::One(events[1])).await.unwrap(), 1);
    assert_eq!(letters.discard(BOOK, Which::One(events[1])).await.unwrap(), 0);
    assert_eq!(letters.replay(BOOK, Which::One(events[2])).await.unwrap(), 1);
    // To look at them takes nothing away, and leaves their order.
    for _ in 0..2 {
        let left: Vec<_> = town
            .dead()
            .await
            .into_iter()
            .map(|letter| letter.event_id.unwrap())
            .collect();
        assert_eq!(left, [events[0], events[3]]);
    }
    town.settle(&BookKeeper::diligent(), 1, 0).await;
    assert_eq!(town.street.booked().await, ["a 2"]);
    assert_eq!(letters.discard(BOOK, Which::All).await.unwrap(), 2);
    assert!(town.dead().await.is_empty());
}
