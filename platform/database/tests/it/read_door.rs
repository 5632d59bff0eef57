//! The rules of the read door, each with a test that fails without it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use plaza_database::{DatabaseError, DatabaseLimits, Databases, Login};
use plaza_testkit::RoundTrips;

use crate::ledger::*;
use crate::proxy::Proxy;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn flights_of_many_tenants_do_not_mix_on_one_connection() {
    let ledger = Ledger::open().await;
    let mut tenants = Vec::new();
    for number in 0..8 {
        tenants.push(ledger.tenant_with(&format!("tenant {number}")).await);
    }
    // All at once, however slow the machine is.
    let limits = DatabaseLimits {
        read_wait: Duration::from_secs(60),
        ..DatabaseLimits::default()
    };
    let patient = ledger.limited(limits);
    let reads = (0..4_000).map(|turn| {
        let (number, database) = (turn % tenants.len(), patient.clone());
        let tenant = tenants[number];
        tokio::spawn(async move {
            let seen = database.read(tenant, &ALL_ACCOUNTS, ()).await.unwrap();
            assert_eq!(seen.len(), 1);
            assert_eq!(
                (seen[0].tenant_id, &*seen[0].name),
                (tenant.as_uuid(), &*format!("tenant {number}"))
            );
        })
    });
    for read in join_all(reads).await {
        read.unwrap();
    }
}

#[tokio::test]
async fn a_read_that_is_neither_polled_nor_dropped_stops_nobody() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;
    ledger.names(tenant).await;
    ledger.database.read(tenant, &BULKY, (1,)).await.unwrap();
    // Enough rows that the answer fills every buffer between the server and the reader.
    let mut abandoned: Vec<_> = (0..20)
        .map(|_| Box::pin(ledger.database.read(tenant, &BULKY, (500,))))
        .collect();
    for read in &mut abandoned {
        poll_fn(|context| Poll::Ready(read.as_mut().poll(context).is_ready())).await;
    }
    let others = join_all((0..100).map(|_| ledger.names(tenant)));
    tokio::time::timeout(Duration::from_secs(5), others)
        .await
        .expect("others are answered");
    drop(abandoned);
}

#[tokio::test]
async fn a_dropped_read_keeps_its_seat_until_the_server_has_answered() {
    let ledger = Ledger::open().await;
    let limits = DatabaseLimits {
        reads_at_once: 1,
        read_wait: Duration::from_millis(60),
        read_timeout: Duration::from_millis(400),
        ..DatabaseLimits::default()
    };
    let database = ledger.limited(limits);
    database.ping().await.unwrap();

    let mut nap = Box::pin(database.read_platform(&NAP, (0.3,)));
    poll_fn(|context| Poll::Ready(nap.as_mut().poll(context).is_ready())).await;
    drop(nap);
    tokio::task::yield_now().await;
    let error = database.ping().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Busy), "{error:?}");

    tokio::time::sleep(Duration::from_millis(400)).await;
    database.ping().await.unwrap();
}

#[tokio::test]
async fn a_read_is_small_short_and_cannot_write() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();

    assert_eq!(
        ledger.database.read(tenant, &SERIES, (500,)).await.unwrap().len(),
        500
    );
    let error = ledger.database.read(tenant, &SERIES, (501,)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::TooManyRows), "{error:?}");
    let error = ledger
        .database
        .read(tenant, &SERIES, (2_000_000,))
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::TooManyRows), "{error:?}");

    let start = Instant::now();
    let error = ledger.database.read(tenant, &NAP, (5.0,)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Timeout(_)), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(2));

    let error = ledger
        .database
        .read(tenant, &SET_RATE, ("EUR".to_owned(), 1))
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
    assert_eq!(ledger.database.read(tenant, &RATES, ()).await.unwrap(), []);
}

#[tokio::test]
async fn a_read_does_not_wait_long_for_a_lock() {
    let ledger = Ledger::open().await;
    ledger.database.read_platform(&RATES, ()).await.unwrap();
    let mut admin = ledger.test.admin().await;
    let migration = admin.transaction().await.unwrap();
    migration
        .batch_execute("LOCK TABLE ledger.rates IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();

    let error = ledger.database.read_platform(&RATES, ()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Timeout(_)), "{error:?}");
    // Preparing waits for the same lock, and others must not wait with it.
    let error = ledger.database.read_platform(&STAR, ()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Timeout(_)), "{error:?}");

    migration.rollback().await.unwrap();
    ledger.database.read_platform(&RATES, ()).await.unwrap();
}

#[tokio::test]
async fn a_failed_begin_is_an_error_and_not_an_empty_result() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;
    let proxy = Proxy::to(
        &ledger.test,
        "BEGIN READ ONLY",
        "BEGIN READ ONLX",
        DatabaseLimits::default(),
    );
    assert_eq!(
        proxy.database.read(tenant, &COUNT_ACCOUNTS, ()).await.unwrap(),
        [(1,)]
    );

    proxy.spoil(true);
    let error = proxy
        .database
        .read(tenant, &COUNT_ACCOUNTS, ())
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");

    proxy.spoil(false);
    assert_eq!(
        proxy.database.read(tenant, &COUNT_ACCOUNTS, ()).await.unwrap(),
        [(1,)]
    );
}

#[tokio::test]
async fn a_statement_outlives_a_migration() {
    let ledger = Ledger::open().await;
    let tx = ledger.database.begin_platform();
    tx.execute(&SET_RATE, ("EUR".to_owned(), 7)).await.unwrap();
    tx.commit().await.unwrap();
    let admin = ledger.test.admin().await;
    admin
        .batch_execute("ALTER TABLE ledger.rates ALTER COLUMN rate TYPE integer")
        .await
        .unwrap();
    // Prepared while the column was an integer, which the row type cannot read.
    let error = ledger.database.read_platform(&STAR, ()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Misfit(_)), "{error:?}");

    admin
        .batch_execute("ALTER TABLE ledger.rates ALTER COLUMN rate TYPE bigint")
        .await
        .unwrap();
    assert_eq!(
        ledger.database.read_platform(&STAR, ()).await.unwrap(),
        [("EUR".to_owned(), 7)]
    );
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;
    let (before,) = ledger.database.read_platform(&BACKEND, ()).await.unwrap()[0];
    let admin = ledger.test.admin().await;
    for _ in 0..5 {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'plaza_ledger'
                      AND datname = current_database()";
        admin.execute(sql, &[]).await.unwrap();
        // At once, while the client may not know yet.
        assert_eq!(ledger.names(tenant).await, ["acme"]);
    }
    let (after,) = ledger.database.read_platform(&BACKEND, ()).await.unwrap()[0];
    assert_ne!(before, after);
    ledger.tenant_with("rival").await;
}

#[tokio::test]
async fn a_server_process_that_falls_silent_is_given_up() {
    use rustix::process::{Pid, Signal, kill_process};
    let ledger = Ledger::open().await;
    let limits = DatabaseLimits {
        read_silence: Duration::from_millis(300),
        ..DatabaseLimits::default()
    };
    let database = ledger.limited(limits);
    let (backend,) = database.read_platform(&BACKEND, ()).await.unwrap()[0];
    let backend = Pid::from_raw(backend).unwrap();
    kill_process(backend, Signal::STOP).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), database.read_platform(&BACKEND, ())).await;
    kill_process(backend, Signal::CONT).unwrap();
    let (other,) = answer.expect("the read goes to another connection").unwrap()[0];
    assert_ne!(other, backend.as_raw_nonzero().get());
}

#[test]
fn a_runtime_that_ended_takes_no_connection_with_it() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let (ledger, tenant) = first.block_on(async {
        let ledger = Ledger::open().await;
        let tenant = ledger.tenant_with("acme").await;
        assert_eq!(ledger.names(tenant).await, ["acme"]);
        (ledger, tenant)
    });
    drop(first);
    runtime().block_on(async {
        assert_eq!(ledger.names(tenant).await, ["acme"]);
        ledger.tenant_with("rival").await;
    });
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_soon() {
    let ledger = Ledger::open().await;
    let mut settings = ledger.test.settings();
    settings.url = "host=/nowhere user=nobody dbname=nothing".into();
    let limits = DatabaseLimits {
        read_wait: Duration::from_millis(200),
        ..DatabaseLimits::default()
    };
    let database = Databases::with_limits(settings, limits)
        .unwrap()
        .of(LEDGER, Login::default())
        .unwrap();
    let start = Instant::now();
    let error = database.ping().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unavailable(Some(_))), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn no_seat_before_the_deadline_is_busy() {
    let ledger = Ledger::open().await;
    let limits = DatabaseLimits {
        reads_at_once: 2,
        read_wait: Duration::from_millis(50),
        ..DatabaseLimits::default()
    };
    let database = ledger.limited(limits);
    database.ping().await.unwrap();
    let mut naps = pin!(join_all((0..2).map(|_| database.read_platform(&NAP, (0.2,)))));
    poll_fn(|context| Poll::Ready(naps.as_mut().poll(context).is_ready())).await;
    let (ping, naps) = tokio::join!(database.ping(), naps);
    assert!(matches!(ping, Err(DatabaseError::Busy)), "{ping:?}");
    assert!(naps.iter().any(Result::is_ok), "{naps:?}");
    database.ping().await.unwrap();
}

#[tokio::test]
async fn a_read_is_one_round_trip() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;
    let trips = RoundTrips::to(&ledger.test).await;
    let database = trips.of(LEDGER);
    database.read(tenant, &ALL_ACCOUNTS, ()).await.unwrap();
    trips.take();

    for _ in 0..10 {
        assert_eq!(database.read(tenant, &ALL_ACCOUNTS, ()).await.unwrap().len(), 1);
    }
    assert_eq!(trips.take(), 10);
}
