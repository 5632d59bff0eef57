//! Entries get their places, once, within seconds, whoever runs and whoever dies.

use std::time::{Duration, Instant};

use plaza_audit::{Chainer, ChainerSettings, record};
use plaza_kernel::Scope;
use plaza_testkit::{callers, eventually};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::shop::{Shop, entry};

/// What no machine is too slow for.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn every_chain_is_its_tenants_own_and_goes_on_where_it_ended() {
    let shop = Shop::open().await;
    let (acme, globex) = (callers::tenant(), callers::tenant());
    shop.priced_and_chained(acme, 3).await;
    shop.priced_and_chained(globex, 2).await;
    shop.priced_and_chained(acme, 1).await;
    let tx = shop.own().begin_platform();
    record(&tx, &shop.clock, entry(1)).await.unwrap();
    tx.commit().await.unwrap();
    shop.chainer().chain_due().await.unwrap();
    for (scope, entries) in [(Scope::from(acme), 4), (globex.into(), 2), (Scope::Platform, 1)] {
        let verified = shop.verify(scope).await;
        assert!(verified.is_whole(), "{verified:?}");
        assert_eq!((verified.entries, verified.unchained), (entries, 0), "{scope:?}");
        assert_eq!(verified.head.map(|(seq, _)| seq), i64::try_from(entries).ok());
    }
}

#[tokio::test]
async fn an_entry_whose_transaction_ends_late_is_chained_behind_younger_ones() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let late = shop.own().begin(tenant);
    let first = record(&late, &shop.clock, entry(1)).await.unwrap();
    let second = shop.price(tenant, 2).await;
    assert_eq!(shop.chainer().chain_due().await.unwrap(), 1);
    late.commit().await.unwrap();
    assert_eq!(shop.chainer().chain_due().await.unwrap(), 1);
    let places = shop.database.admin().await;
    let places = places
        .query("SELECT entry FROM shop.audit_chain ORDER BY seq", &[])
        .await
        .unwrap();
    let places: Vec<uuid::Uuid> = places.iter().map(|row| row.get(0)).collect();
    assert_eq!(places, [second.as_uuid(), first.as_uuid()]);
    assert!(shop.verify(tenant).await.is_whole());
}

#[tokio::test]
async fn several_processes_give_every_entry_one_place() {
    let shop = Shop::open().await;
    let tenants: Vec<_> = (0..5).map(|_| callers::tenant()).collect();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let settings = ChainerSettings {
        poll: Duration::from_millis(5),
        gather: Duration::from_millis(1),
        ..ChainerSettings::default()
    };
    for _ in 0..3 {
        Chainer::new(shop.connections(), &shop.clock, settings.clone()).start(&tasks, stop.clone());
    }
    tasks.close();
    for price in 0..60 {
        shop.price(tenants[price % tenants.len()], 1).await;
    }
    eventually(LONG, || async {
        shop.count("SELECT count(*) FROM shop.audit_due").await == 0
    })
    .await;
    stop.cancel();
    tasks.wait().await;
    assert_eq!(shop.count("SELECT count(*) FROM shop.audit_chain").await, 60);
    for tenant in tenants {
        let verified = shop.verify(tenant).await;
        assert!(verified.is_whole() && verified.entries == 12, "{verified:?}");
    }
}

#[tokio::test]
async fn what_another_process_wrote_is_chained_within_five_seconds() {
    let shop = Shop::open().await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    shop.chainer().start(&tasks, stop.clone());
    tasks.close();
    // The chainer has looked, found nothing, and waits; nothing in its own process will wake it.
    eventually(LONG, || async {
        shop.count("SELECT count(*) FROM shop.leases").await == 1
    })
    .await;
    shop.price(callers::tenant(), 1).await;
    let written = Instant::now();
    eventually(LONG, || async {
        shop.count("SELECT count(*) FROM shop.audit_chain").await == 1
    })
    .await;
    let took = written.elapsed();
    stop.cancel();
    tasks.wait().await;
    // Four seconds and a half, and what a busy machine takes.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(ChainerSettings::default().poll + ChainerSettings::default().gather < Duration::from_secs(5));
}

#[tokio::test]
async fn what_its_own_process_writes_wakes_the_chainer() {
    let shop = Shop::open().await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let settings = ChainerSettings {
        poll: Duration::from_secs(3600),
        ..ChainerSettings::default()
    };
    Chainer::new(shop.own(), &shop.clock, settings).start(&tasks, stop.clone());
    tasks.close();
    eventually(LONG, || async {
        shop.count("SELECT count(*) FROM shop.leases").await == 1
    })
    .await;
    shop.price(callers::tenant(), 1).await;
    eventually(LONG, || async {
        shop.count("SELECT count(*) FROM shop.audit_chain").await == 1
    })
    .await;
    stop.cancel();
    tasks.wait().await;
}
