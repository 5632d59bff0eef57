//! Order per key, tenants apart, nobody who hears.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use plaza_kernel::EventId;
use plaza_messaging::MessagingSettings;
use plaza_telemetry::trace::{self, TraceContext};
use plaza_testkit::eventually;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::over_every_transport;
use crate::carrier::{PATIENCE, Town};
use crate::ledger::{BookKeeper, Mood, quick};

over_every_transport! {
    committed_events_arrive_once_and_in_order_per_key
    two_processes_share_the_work_once_and_in_order
    one_failing_event_holds_back_its_key_only
    what_comes_while_a_key_is_in_retry_waits_behind_it_in_order
    a_consumer_sees_the_rows_of_its_events_tenant_only
    what_nobody_hears_is_taken_and_gone
    different_keys_are_worked_on_at_the_same_time
    the_trace_of_the_writer_goes_on_in_the_consumer
}

/// The numbers booked under a key, in the order in which they were.
async fn of_key(town: &Town, key: &str) -> Vec<String> {
    let booked = town.street.booked().await;
    booked
        .into_iter()
        .filter(|entry| entry.starts_with(key))
        .collect()
}

fn in_order(key: &str, count: i64) -> Vec<String> {
    (0..count).map(|n| format!("{key} {n}")).collect()
}

async fn committed_events_arrive_once_and_in_order_per_key(town: Town) {
    let (acme, rival) = (town.street.tenant(), town.street.tenant());
    for n in 0..40 {
        for (tenant, key) in [(acme, "a"), (acme, "b"), (rival, "c")] {
            town.street.say(tenant, key, n).await;
        }
    }

    town.settle(&BookKeeper::diligent(), 120, 0).await;

    for key in ["a", "b", "c"] {
        assert_eq!(of_key(&town, key).await, in_order(key, 40));
    }
    assert_eq!(town.street.booked().await.len(), 120);
}

async fn two_processes_share_the_work_once_and_in_order(town: Town) {
    let keeper = BookKeeper::diligent();
    let processes = [town.run(&keeper), town.run(&keeper)];
    let tenant = town.street.tenant();
    for n in 0..40 {
        for key in ["a", "b", "c"] {
            town.street.say(tenant, key, n).await;
        }
    }
    town.until(120, 0).await;
    for process in processes {
        process.stop().await;
    }

    for key in ["a", "b", "c"] {
        assert_eq!(of_key(&town, key).await, in_order(key, 40));
    }
    let (shop, ledger) = town.street.pending().await;
    assert!(shop.is_settled() && ledger.is_settled(), "{shop:?} {ledger:?}");
}

async fn one_failing_event_holds_back_its_key_only(mut town: Town) {
    // Long enough that it is still in retry when everything else is done.
    town.settings.delays = vec![Duration::from_secs(300); 4];
    let keeper = BookKeeper::new(|event| if event.n == 13 { Mood::Fails } else { Mood::Books });
    let (acme, rival) = (town.street.tenant(), town.street.tenant());
    town.street.say(acme, "shared", 13).await;
    for (tenant, key, n) in [
        (acme, "shared", 14),
        (acme, "other", 1),
        (rival, "shared", 2),
        (acme, "shared", 15),
        (acme, "other", 3),
    ] {
        town.street.say(tenant, key, n).await;
    }

    let process = town.run(&keeper);
    town.until(3, 0).await;
    // Those behind the failed one are as far as they get.
    eventually(PATIENCE, || async {
        town.street.pending().await.1.deliveries == 3
    })
    .await;
    process.stop().await;

    let mut booked = town.street.booked().await;
    booked.sort();
    assert_eq!(booked, ["other 1", "other 3", "shared 2"]);
}

async fn what_comes_while_a_key_is_in_retry_waits_behind_it_in_order(mut town: Town) {
    town.settings.delays = [1_500, 50, 50, 50].map(Duration::from_millis).to_vec();
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let keeper = BookKeeper::new(move |event| match event.n {
        0 if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 3 => Mood::Fails,
        _ => Mood::Books,
    });
    let tenant = town.street.tenant();
    let process = town.run(&keeper);
    // Over the whole time that the first one is in retry, and after it.
    for n in 0..30 {
        town.street.say(tenant, "a", n).await;
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    town.until(30, 0).await;
    process.stop().await;

    assert_eq!(of_key(&town, "a").await, in_order("a", 30));
    assert_eq!(
        keeper.times_asked(),
        30 + 3,
        "to wait behind another one is no delivery"
    );
    assert_eq!(town.street.pending().await.1.deliveries, 0);
}

async fn a_consumer_sees_the_rows_of_its_events_tenant_only(town: Town) {
    let (acme, rival) = (town.street.tenant(), town.street.tenant());
    let keeper = BookKeeper::diligent();
    for n in 0..3 {
        town.street.say(acme, "a", n).await;
    }
    town.settle(&keeper, 3, 0).await;
    town.street.say(rival, "r", 1).await;
    town.settle(&keeper, 4, 0).await;

    // Each time it counted after its own entry: the rival's consumer saw its one, not acme's three.
    assert_eq!(*keeper.entries_seen.lock().unwrap(), [1, 2, 3, 1]);
}

async fn what_nobody_hears_is_taken_and_gone(town: Town) {
    town.street
        .run(&format!(
            "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             VALUES ('{}', NULL, 'a', 'shop.unheard', 1, 'shop', '{{}}', now())",
            EventId::generate(&town.street.clock)
        ))
        .await;
    town.street.say(town.street.tenant(), "a", 1).await;

    town.settle(&BookKeeper::diligent(), 1, 0).await;

    let (shop, ledger) = town.street.pending().await;
    assert_eq!((shop.outbox, shop.parked, ledger.dead), (0, 0, 0));
    assert!(town.dead().await.is_empty());
}

async fn different_keys_are_worked_on_at_the_same_time(mut town: Town) {
    town.settings = MessagingSettings {
        concurrency: 3,
        lease: PATIENCE,
        ..quick()
    };
    let tenant = town.street.tenant();
    for key in ["a", "b", "c"] {
        town.street.say(tenant, key, 0).await;
        town.street.say(tenant, key, 1).await;
    }
    let hanging = BookKeeper::new(|_| Mood::Hangs);

    let process = town.run(&hanging);
    eventually(PATIENCE, || async { hanging.times_asked() >= 3 }).await;
    process.kill();

    assert!(town.street.booked().await.is_empty());
    assert_eq!(
        hanging.times_asked(),
        3,
        "no second one of a key before its first"
    );
}

async fn the_trace_of_the_writer_goes_on_in_the_consumer(town: Town) {
    // The only test of this process, where tests have one each; elsewhere another one may have done the same.
    let subscriber = tracing_subscriber::Registry::default().with(trace::layer());
    let _ = tracing::subscriber::set_global_default(subscriber);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let keeper = BookKeeper::new({
        let seen = Arc::clone(&seen);
        move |_| {
            let here = trace::current().map(TraceContext::trace_id);
            seen.lock().unwrap().push(here.unwrap_or_default());
            Mood::Books
        }
    });
    let tenant = town.street.tenant();
    let mut written = Vec::new();
    for n in 0..3 {
        let request = tracing::info_span!(target: "plaza_shop", "request");
        written.push(request.in_scope(trace::current).unwrap().trace_id());
        town.street.say(tenant, "a", n).instrument(request).await;
    }

    town.settle(&keeper, 3, 0).await;

    assert_eq!(*seen.lock().unwrap(), written);
    written.dedup();
    assert_eq!(written.len(), 3, "a trace each");
}
