//! Tenants in turn: a long queue of one does not keep another waiting.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_database::registered_by;
use plaza_kernel::TenantId;
use plaza_messaging::{Envelope, Messaging, MessagingSettings, Publish, Subscriptions, Taken, Transport};
use plaza_testkit::eventually;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carrier::PATIENCE;
use crate::ledger::{BookKeeper, Street, quick};

/// Queues events for the ledger: this many of a tenant, each of a key of its own or all of one.
async fn queue(street: &Street, tenant: TenantId, mark: &str, keys: i64, count: i64) {
    street
        .run(&format!(
            "INSERT INTO ledger.deliveries
                 (consumer, event_id, tenant_id, key, name, version, source, payload, created_at)
             SELECT 'ledger.book', gen_random_uuid(), '{tenant}', '{mark}' || n % {keys}, 'shop.counted', 1, 'shop',
                    format('{{\"key\":\"{mark}\",\"n\":%s}}', n), now()
               FROM generate_series(1, {count}) n"
        ))
        .await;
}

/// How many of others were booked before the last of this mark, once it has so many.
async fn booked_before_the_last(street: &Street, keeper: &BookKeeper, mark: &str, count: usize) -> usize {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    street.messaging(keeper, quick()).start(&tasks, stop.clone());
    let of_mark = |booked: &[String]| booked.iter().filter(|entry| entry.starts_with(mark)).count();
    eventually(PATIENCE, || async { of_mark(&street.booked().await) >= count }).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    let booked = street.booked().await;
    booked.iter().rposition(|entry| entry.starts_with(mark)).unwrap() + 1 - count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_events_are_consumed_within_their_share_behind_five_thousand_of_another_tenant() {
    for keys in [5_000, 50] {
        let street = Street::open().await;
        queue(&street, street.tenant(), "big", keys, 5_000).await;
        queue(&street, street.tenant(), "small", 5, 5).await;

        let others = booked_before_the_last(&street, &BookKeeper::diligent(), "small", 5).await;

        // One of the other tenant for each of its own, and what is worked on at the same time.
        assert!(
            others <= 5 + 2 * quick().concurrency,
            "{others} of {keys} keys came first"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tenants_are_all_served_in_each_round() {
    let street = Street::open().await;
    for tenant in 0..100 {
        queue(&street, street.tenant(), &format!("t{tenant}-"), 3, 20).await;
    }
    let small = street.tenant();
    queue(&street, small, "small", 1, 3).await;

    let others = booked_before_the_last(&street, &BookKeeper::diligent(), "small", 3).await;

    assert!(others <= 3 * 100 + 2 * quick().concurrency, "{others} came first");
}

/// Notes what it takes.
#[derive(Default)]
struct Notebook {
    taken: Mutex<Vec<(Option<TenantId>, String)>>,
}

impl Transport for Notebook {
    fn publish<'a>(&'a self, batch: &'a [Envelope], _until: Instant) -> BoxFuture<'a, Publish> {
        let mut taken = self.taken.lock().unwrap();
        taken.extend(batch.iter().map(|event| (event.tenant, event.payload.clone())));
        drop(taken);
        let answers = batch.iter().map(|_| Ok(Taken::Kept)).collect();
        async { answers }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_events_are_relayed_on_the_first_page_behind_five_thousand_of_another_tenant() {
    let street = Street::open().await;
    let (big, small) = (street.tenant(), street.tenant());
    for (tenant, count) in [(big, 5_000), (small, 5)] {
        street
            .run(&format!(
                "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
                 SELECT gen_random_uuid(), '{tenant}', n % 7, 'shop.counted', 1, 'shop', n, now()
                   FROM generate_series(1, {count}) n"
            ))
            .await;
    }
    let notebook = Arc::new(Notebook::default());
    let settings = MessagingSettings { batch: 50, ..quick() };
    let transport: Arc<dyn Transport> = Arc::<Notebook>::clone(&notebook);
    let mut messaging = Messaging::over(transport, settings, street.clock.clone());
    messaging.host(street.shop.clone(), Subscriptions::new());

    messaging.drain(PATIENCE).await.unwrap();

    let taken = notebook.taken.lock().unwrap();
    let last = taken
        .iter()
        .rposition(|(tenant, _)| *tenant == Some(small))
        .unwrap();
    assert!(last < 50, "the last of five came at {last}");
    for tenant in [big, small] {
        let of_tenant = taken.iter().filter(|(whose, _)| *whose == Some(tenant));
        let numbers: Vec<i64> = of_tenant.map(|(_, n)| n.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "in order");
    }
    assert_eq!(taken.len(), 5_005);
}

/// The plan of the statement that begins like this, for any parameters.
async fn plan(street: &Street, schema: &str, marked: &str, parameters: &str) -> String {
    let statement = registered_by("plaza_messaging")
        .find(|one| one.sql.contains(marked))
        .unwrap();
    let admin = street.database.admin().await;
    admin
        .batch_execute(&format!(
            "SET search_path = {schema}; SET plan_cache_mode = force_generic_plan; PREPARE it AS {}",
            statement.sql
        ))
        .await
        .unwrap();
    let rows = admin
        .query(&format!("EXPLAIN EXECUTE it ({parameters})"), &[])
        .await
        .unwrap();
    rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
}

#[tokio::test]
async fn claiming_and_relaying_walk_from_tenant_to_tenant_by_an_index() {
    let street = Street::open().await;
    for tenant in 0..30 {
        queue(&street, street.tenant(), &format!("t{tenant}-"), 300, 500).await;
    }
    street
        .run(
            "INSERT INTO shop.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             SELECT event_id, tenant_id, key, name, version, source, payload, created_at FROM ledger.deliveries;
             ANALYZE shop.outbox; ANALYZE ledger.deliveries",
        )
        .await;
    let nil = "'00000000-0000-0000-0000-000000000000'";

    let claim = plan(
        &street,
        "ledger",
        "FROM unnest($1::text[], $2::int4[], $3::uuid[])",
        &format!("ARRAY['ledger.book'], ARRAY[4], ARRAY[{nil}]::uuid[], 10"),
    )
    .await;
    let due = plan(
        &street,
        "shop",
        "WITH RECURSIVE ring AS (\n             SELECT $4",
        &format!("200, 'relay', {nil}, {nil}"),
    )
    .await;

    for (plan, index, table) in [
        (claim, "deliveries_turns", "deliveries"),
        (due, "outbox_turns", "outbox"),
    ] {
        assert!(plan.matches(index).count() >= 3, "{plan}");
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
    }
}
