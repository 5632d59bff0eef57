//! Events arrive: each once in effect, in order, or as a dead letter.

use std::time::Duration;

use plaza_kernel::EventId;
use plaza_messaging::{MessagingSettings, Pending, Unsettled, dead_letters, outbox};

use crate::ledger::{BookKeeper, Counted, Mood, Street, quick};

#[tokio::test]
async fn committed_events_arrive_once_and_in_order_per_key() {
    let street = Street::open().await;
    let (acme, rival) = (street.tenant(), street.tenant());
    for n in 0..40 {
        for (tenant, key) in [(acme, "a"), (acme, "b"), (rival, "c")] {
            street.say(tenant, key, n).await;
        }
    }

    street.settle(&BookKeeper::diligent()).await;

    let booked = street.booked().await;
    for key in ["a", "b", "c"] {
        let of_key: Vec<&String> = booked.iter().filter(|entry| entry.starts_with(key)).collect();
        let expected: Vec<String> = (0..40).map(|n| format!("{key} {n}")).collect();
        assert_eq!(of_key, expected.iter().collect::<Vec<_>>());
    }
    assert_eq!(booked.len(), 120);
}

#[tokio::test]
async fn an_event_of_a_rolled_back_transaction_never_arrives() {
    let street = Street::open().await;
    let tx = street.shop.begin(street.tenant());
    outbox::append(
        &tx,
        &street.clock,
        &Counted {
            key: "a".to_owned(),
            n: 1,
        },
    )
    .await
    .unwrap();
    drop(tx);
    street.say(street.tenant(), "b", 2).await;

    street.settle(&BookKeeper::diligent()).await;

    assert_eq!(street.booked().await, ["b 2"]);
}

#[tokio::test]
async fn a_slow_transaction_with_a_lower_id_is_not_lost() {
    let street = Street::open().await;
    let slow = street.shop.begin(street.tenant());
    outbox::append(
        &slow,
        &street.clock,
        &Counted {
            key: "slow".to_owned(),
            n: 1,
        },
    )
    .await
    .unwrap();
    street.say(street.tenant(), "fast", 2).await;
    street.settle(&BookKeeper::diligent()).await;
    assert_eq!(street.booked().await, ["fast 2"]);

    slow.commit().await.unwrap();
    street.settle(&BookKeeper::diligent()).await;

    assert_eq!(street.booked().await, ["fast 2", "slow 1"]);
}

#[tokio::test]
async fn what_fails_is_delivered_five_times_and_then_a_dead_letter_while_other_keys_go_on() {
    let street = Street::open().await;
    let tenant = street.tenant();
    let keeper = BookKeeper::new(|event| if event.n == 13 { Mood::Fails } else { Mood::Books });
    street.say(tenant, "poisoned", 13).await;
    street.say(tenant, "poisoned", 14).await;
    street.say(tenant, "healthy", 1).await;

    street.settle(&keeper).await;

    assert_eq!(keeper.times_asked(), 5 + 2);
    assert_eq!(street.booked().await, ["healthy 1", "poisoned 14"]);
    let letters = dead_letters::list(&street.ledger, 0, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attempts, 5);
    assert_eq!(letters[0].consumer, "ledger.book");
    assert_eq!(letters[0].tenant_id, Some(tenant));
    assert_eq!(letters[0].payload, r#"{"key":"poisoned","n":13}"#);
    assert!(
        letters[0].error.contains("the pen is empty"),
        "{}",
        letters[0].error
    );
}

#[tokio::test]
async fn a_key_in_retry_waits_in_its_order_while_other_keys_and_other_tenants_go_on() {
    let street = Street::open().await;
    let (acme, rival) = (street.tenant(), street.tenant());
    let keeper = BookKeeper::new(|event| if event.n == 13 { Mood::Fails } else { Mood::Books });
    let settings = MessagingSettings {
        delays: vec![Duration::from_secs(3600); 4],
        ..quick()
    };
    let messaging = street.messaging(&keeper, settings);
    street.say(acme, "shared", 13).await;
    let in_retry = messaging.drain(Duration::from_millis(100)).await;
    assert!(matches!(in_retry, Err(Unsettled::Pending(_))), "{in_retry:?}");

    street.say(acme, "shared", 14).await;
    street.say(acme, "other", 1).await;
    street.say(rival, "shared", 2).await;
    assert!(messaging.drain(Duration::from_millis(300)).await.is_err());

    let mut booked = street.booked().await;
    booked.sort();
    assert_eq!(booked, ["other 1", "shared 2"]);
    assert_eq!(street.pending().await.1.deliveries, 2);
}

#[tokio::test]
async fn what_recovers_is_consumed_once() {
    let street = Street::open().await;
    let keeper = BookKeeper::new({
        let tries = std::sync::atomic::AtomicUsize::new(0);
        move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..3 => Mood::Fails,
            _ => Mood::Books,
        }
    });
    street.say(street.tenant(), "a", 1).await;

    street.settle(&keeper).await;

    assert_eq!(keeper.times_asked(), 4);
    assert_eq!(street.booked().await, ["a 1"]);
}

#[tokio::test]
async fn what_is_refused_for_good_is_a_dead_letter_at_once() {
    let street = Street::open().await;
    let keeper = BookKeeper::new(|_| Mood::Refuses);
    street.say(street.tenant(), "a", 1).await;

    street.settle(&keeper).await;

    assert_eq!(keeper.times_asked(), 1);
    assert_eq!(
        dead_letters::list(&street.ledger, 0, 10).await.unwrap()[0].attempts,
        1
    );
    assert!(street.booked().await.is_empty());
}

#[tokio::test]
async fn a_panicking_consumer_is_a_failed_delivery_and_the_runner_lives_on() {
    let street = Street::open().await;
    let tenant = street.tenant();
    let keeper = BookKeeper::new(|event| if event.n == 13 { Mood::Panics } else { Mood::Books });
    street.say(tenant, "a", 13).await;
    street.say(tenant, "a", 14).await;

    street.settle(&keeper).await;

    assert_eq!(street.booked().await, ["a 14"]);
    let letters = dead_letters::list(&street.ledger, 0, 10).await.unwrap();
    assert_eq!(letters[0].attempts, 5);
    assert!(
        letters[0].error.contains("fell into the river"),
        "{}",
        letters[0].error
    );
}

#[tokio::test]
async fn an_unreadable_body_an_unknown_version_and_a_missing_tenant_are_dead_letters_at_once() {
    let street = Street::open().await;
    let keeper = BookKeeper::diligent();
    let tenant = street.tenant();
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
    outbox::append(
        &platform,
        &street.clock,
        &Counted {
            key: "b".to_owned(),
            n: 3,
        },
    )
    .await
    .unwrap();
    platform.commit().await.unwrap();
    street.say(tenant, "a", 4).await;

    street.settle(&keeper).await;

    assert_eq!(street.booked().await, ["a 4"]);
    assert_eq!(keeper.times_asked(), 1);
    let letters = dead_letters::list(&street.ledger, 0, 10).await.unwrap();
    let mut errors: Vec<(i32, &str)> = letters.iter().map(|l| (l.attempts, l.error.as_str())).collect();
    errors.sort_unstable();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors.iter().all(|(attempts, _)| *attempts == 1), "{errors:?}");
    assert!(
        errors[0].1.contains("EOF") && errors[1].1.contains("version 2"),
        "{errors:?}"
    );
    assert!(errors[2].1.contains("no tenant"), "{errors:?}");
}

#[tokio::test]
async fn the_nil_tenant_does_not_get_into_an_outbox() {
    let street = Street::open().await;
    let nil = "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
               VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'a', 'n', 1, 's', '{}', now())";
    assert!(street.database.admin().await.batch_execute(nil).await.is_err());
}

#[tokio::test]
async fn a_replayed_dead_letter_is_delivered_again_with_all_its_tries() {
    let street = Street::open().await;
    street.say(street.tenant(), "a", 1).await;
    street.settle(&BookKeeper::new(|_| Mood::Fails)).await;
    let letter = dead_letters::list(&street.ledger, 0, 10).await.unwrap().remove(0);

    assert!(dead_letters::replay(&street.ledger, letter.id).await.unwrap());
    let stubborn = BookKeeper::new(|_| Mood::Fails);
    street.settle(&stubborn).await;
    assert_eq!(stubborn.times_asked(), 5);
    assert!(dead_letters::replay(&street.ledger, letter.id).await.unwrap());
    assert!(!dead_letters::replay(&street.ledger, letter.id).await.unwrap());
    street.settle(&BookKeeper::diligent()).await;

    assert_eq!(street.booked().await, ["a 1"]);
    assert!(
        dead_letters::list(&street.ledger, 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_event_that_nobody_consumes_is_acknowledged() {
    let street = Street::open().await;
    street
        .run(&format!(
            "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             VALUES ('{}', NULL, 'a', 'shop.unheard', 1, 'shop', '{{}}', now())",
            EventId::generate(&street.clock)
        ))
        .await;

    street.settle(&BookKeeper::diligent()).await;

    let nothing = Pending {
        outbox: 0,
        parked: 0,
        deliveries: 0,
        dead: 0,
    };
    assert_eq!(street.pending().await, (nothing, nothing));
}
