//! The second door: what is true after commit, and what is not without it.

use std::time::{Duration, Instant};

use plaza_database::{
    DatabaseError, DatabaseLimits, DatabaseSettings, Databases, Login, statements, violated,
};
use plaza_kernel::{Failure as _, Kind};
use plaza_testkit::{RoundTrips, eventually};

use crate::ledger::*;
use crate::proxy::Proxy;

statements! {
    /// Declared with a type that the server does not expect.
    static MISFIT: (i64,) => () = "UPDATE ledger.accounts SET name = $1";
    /// A statement that the server refuses.
    static REFUSED: () => (i32,) = "SELECT 1 / 0";
}

#[tokio::test]
async fn a_commit_makes_it_true_and_a_drop_does_not() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("kept").await;

    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "dropped").await.unwrap();
    drop(tx);

    assert_eq!(ledger.names(tenant).await, ["kept"]);
    assert_eq!(tenant, ledger.database.begin(tenant).tenant());
}

#[tokio::test]
async fn a_dropped_transaction_gives_its_connection_back_outside_any_transaction() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    for number in 0..40 {
        let tx = ledger.database.begin(tenant);
        ledger
            .open_account(&tx, tenant, &format!("account {number}"))
            .await
            .unwrap();
    }
    eventually(SOON, || async {
        ledger.sessions("idle in transaction%").await == 0
    })
    .await;
    assert_eq!(ledger.names(tenant).await, [""; 0]);
    assert!(ledger.sessions("%").await <= 6, "four exclusive, one shared");
}

#[tokio::test]
async fn a_transaction_that_sent_nothing_commits_and_takes_no_connection() {
    let ledger = Ledger::open().await;
    ledger.database.begin(ledger.tenant()).commit().await.unwrap();
    drop(ledger.database.begin(ledger.tenant()));
    assert_eq!(ledger.sessions("%").await, 0);
}

#[tokio::test]
async fn a_broken_constraint_has_its_name_and_the_rest_is_not_committed() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;

    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "second").await.unwrap();
    let error = ledger.open_account(&tx, tenant, "acme").await.unwrap_err();
    assert_eq!(violated(&error), Some("accounts_name_key"));
    let later = tx.one(&COUNT_ACCOUNTS, ()).await.unwrap_err();
    assert!(matches!(later, DatabaseError::Refused(_)), "{later:?}");
    let error = tx.commit().await.unwrap_err();

    assert!(matches!(error, DatabaseError::NotCommitted), "{error:?}");
    assert_eq!(ledger.names(tenant).await, ["acme"]);
}

#[tokio::test]
async fn a_statement_that_failed_unseen_is_not_committed_silently() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "first").await.unwrap();
    tx.one(&PLAIN_REFUSED_ONCE, (1,)).await.unwrap();
    {
        // Enqueued by its first poll, and nobody waits for the answer.
        let mut refused = Box::pin(tx.one(&PLAIN_REFUSED_ONCE, (0,)));
        std::future::poll_fn(|context| std::task::Poll::Ready(refused.as_mut().poll(context).is_ready()))
            .await;
    }
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, DatabaseError::NotCommitted), "{error:?}");
    assert_eq!(ledger.names(tenant).await, [""; 0]);
}

statements! {
    /// Refused when the divisor is nought.
    static PLAIN_REFUSED_ONCE: (i32,) => (i32,) = "SELECT 1 / $1";
}

#[tokio::test]
async fn what_the_server_lacks_for_now_is_no_fault_of_the_statement() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    for (sqlstate, kind) in [
        ("53100", Kind::Unavailable),
        ("53200", Kind::Unavailable),
        ("53300", Kind::Unavailable),
        ("57P01", Kind::Unavailable),
        ("57P03", Kind::Unavailable),
        ("57P05", Kind::Unavailable),
        ("54000", Kind::Internal),
        ("22000", Kind::Internal),
    ] {
        let fault = format!(
            "CREATE OR REPLACE FUNCTION ledger.fault() RETURNS trigger LANGUAGE plpgsql
                 AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$;
             CREATE OR REPLACE TRIGGER fault BEFORE INSERT ON ledger.accounts EXECUTE FUNCTION ledger.fault()"
        );
        ledger.test.admin().await.batch_execute(&fault).await.unwrap();
        let tx = ledger.database.begin(tenant);
        let error = ledger.open_account(&tx, tenant, "acme").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sqlstate}: {error:?}");
    }
}

#[tokio::test]
async fn a_statement_that_succeeded_unseen_is_committed() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "first").await.unwrap();
    {
        let mut second = Box::pin(ledger.open_account(&tx, tenant, "second"));
        std::future::poll_fn(|context| std::task::Poll::Ready(second.as_mut().poll(context).is_ready()))
            .await;
    }
    tx.commit().await.unwrap();
    assert_eq!(ledger.names(tenant).await, ["first", "second"]);
}

#[tokio::test]
async fn execute_and_commit_is_all_or_nothing() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;
    let open = |name: &str| (tenant.as_uuid(), ledger.clock.uuid(), name.to_owned());

    let tx = ledger.database.begin(tenant);
    tx.execute(&OPEN_ACCOUNT, open("second")).await.unwrap();
    assert_eq!(
        tx.execute_and_commit(&OPEN_ACCOUNT, open("third")).await.unwrap(),
        1
    );
    assert_eq!(ledger.names(tenant).await, ["acme", "second", "third"]);

    let tx = ledger.database.begin(tenant);
    tx.execute(&OPEN_ACCOUNT, open("fourth")).await.unwrap();
    let error = tx
        .execute_and_commit(&OPEN_ACCOUNT, open("acme"))
        .await
        .unwrap_err();
    assert_eq!(violated(&error), Some("accounts_name_key"));

    // Never sent: COMMIT must not follow it on its own.
    let tx = ledger.database.begin(tenant);
    tx.execute(&OPEN_ACCOUNT, open("fifth")).await.unwrap();
    let error = tx.execute_and_commit(&MISFIT, (1,)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Misfit(_)), "{error:?}");

    let tx = ledger.database.begin(tenant);
    tx.one(&REFUSED, ()).await.unwrap_err();
    let error = tx
        .execute_and_commit(&OPEN_ACCOUNT, open("sixth"))
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::NotCommitted), "{error:?}");

    assert_eq!(ledger.names(tenant).await, ["acme", "second", "third"]);
    eventually(SOON, || async {
        ledger.sessions("idle in transaction%").await == 0
    })
    .await;
}

#[tokio::test]
async fn begin_and_commit_travel_with_the_statements() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("acme").await;
    let trips = RoundTrips::to(&ledger.test).await;
    let database = trips.of(LEDGER);
    let open = |name: &str| (tenant.as_uuid(), ledger.clock.uuid(), name.to_owned());
    let warm = database.begin(tenant);
    warm.execute(&OPEN_ACCOUNT, open("warm")).await.unwrap();
    warm.one(&COUNT_ACCOUNTS, ()).await.unwrap();
    warm.commit().await.unwrap();
    trips.take();

    let tx = database.begin(tenant);
    tx.execute_and_commit(&OPEN_ACCOUNT, open("one flight"))
        .await
        .unwrap();
    assert_eq!(trips.take(), 1);

    let tx = database.begin(tenant);
    tx.execute(&OPEN_ACCOUNT, open("two flights")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(trips.take(), 2);

    let tx = database.begin(tenant);
    let (first, second, count) = tokio::join!(
        tx.execute(&OPEN_ACCOUNT, open("together")),
        tx.execute(&OPEN_ACCOUNT, open("in order")),
        tx.one(&COUNT_ACCOUNTS, ()),
    );
    assert_eq!((first.unwrap(), second.unwrap(), count.unwrap()), (1, 1, (6,)));
    assert_eq!(trips.take(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn statements_polled_together_keep_their_order_even_when_nothing_is_prepared() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    let account = ledger.clock.uuid();
    let tx = ledger.database.begin(tenant);
    let (parent, child) = tokio::join!(
        tx.execute(&OPEN_ACCOUNT, (tenant.as_uuid(), account, "acme".to_owned())),
        tx.execute(&BOOK, (tenant.as_uuid(), account, 1)),
    );
    assert_eq!((parent.unwrap(), child.unwrap()), (1, 1));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_travels_behind_a_failed_begin_writes_nothing() {
    let ledger = Ledger::open().await;
    let proxy = Proxy::to(
        &ledger.test,
        "BEGIN READ WRITE",
        "BEGIN READ WRITX",
        DatabaseLimits::default(),
    );
    let tx = proxy.database.begin_platform();
    tx.execute(&SET_RATE, ("EUR".to_owned(), 1)).await.unwrap();
    tx.commit().await.unwrap();

    proxy.spoil(true);
    let tx = proxy.database.begin_platform();
    let (first, second) = tokio::join!(
        tx.execute(&SET_RATE, ("EUR".to_owned(), 2)),
        tx.execute(&SET_RATE, ("USD".to_owned(), 2)),
    );
    assert!(matches!(first, Err(DatabaseError::Refused(_))), "{first:?}");
    assert!(matches!(second, Err(DatabaseError::Refused(_))), "{second:?}");
    assert!(matches!(tx.commit().await, Err(DatabaseError::NotCommitted)));
    let rates = ledger.database.read_platform(&RATES, ()).await.unwrap();
    assert_eq!(rates, [("EUR".to_owned(), 1)]);
}

#[tokio::test]
async fn one_row_is_one_row() {
    let ledger = Ledger::open().await;
    let tx = ledger.database.begin_platform();
    assert!(matches!(
        tx.one(&SERIES, (0,)).await,
        Err(DatabaseError::MissingRow)
    ));
    assert_eq!(tx.optional(&SERIES, (0,)).await.unwrap(), None);
    assert_eq!(tx.optional(&SERIES, (1,)).await.unwrap(), Some((1,)));
    assert!(matches!(
        tx.optional(&SERIES, (2,)).await,
        Err(DatabaseError::TooManyRows)
    ));
    assert_eq!(tx.all(&SERIES, (2_000,)).await.unwrap().len(), 2_000);
}

#[tokio::test]
async fn the_scope_ends_with_the_transaction() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    let setting = async |tx: &plaza_database::Transaction| tx.one(&SETTING, ()).await.unwrap().0;
    let tx = ledger.database.begin(tenant);
    assert_eq!(setting(&tx).await, tenant.to_string());
    tx.commit().await.unwrap();
    assert_eq!(setting(&ledger.database.begin_platform()).await, "");
    assert_eq!(setting(&ledger.database.begin_system()).await, "");
}

#[tokio::test]
async fn a_long_statement_that_nobody_waits_for_does_not_keep_its_place() {
    let ledger = Ledger::open().await;
    let limits = DatabaseLimits {
        transaction_wait: Duration::from_millis(1_500),
        ..DatabaseLimits::default()
    };
    let settings = DatabaseSettings {
        exclusive: 1,
        ..ledger.test.settings()
    };
    let database = Databases::with_limits(settings, limits)
        .unwrap()
        .of(LEDGER, Login::default())
        .unwrap();
    {
        let tx = database.begin_platform();
        let nap = tokio::time::timeout(Duration::from_millis(100), tx.one(&NAP, (2.9,))).await;
        assert!(nap.is_err());
    }
    let start = Instant::now();
    database.begin_platform().one(&SERIES, (1,)).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(1_400),
        "{:?}",
        start.elapsed()
    );
    eventually(SOON, || async { ledger.sessions("active").await == 0 }).await;
}

#[tokio::test]
async fn no_free_connection_before_the_deadline_is_busy() {
    let ledger = Ledger::open().await;
    let limits = DatabaseLimits {
        transaction_wait: Duration::from_millis(50),
        ..DatabaseLimits::default()
    };
    let settings = DatabaseSettings {
        exclusive: 1,
        ..ledger.test.settings()
    };
    let database = Databases::with_limits(settings, limits)
        .unwrap()
        .of(LEDGER, Login::default())
        .unwrap();
    let first = database.begin_platform();
    first.one(&SERIES, (1,)).await.unwrap();
    let second = database.begin_platform();
    assert!(matches!(
        second.one(&SERIES, (1,)).await,
        Err(DatabaseError::Busy)
    ));
    first.commit().await.unwrap();
    database.begin_platform().one(&SERIES, (1,)).await.unwrap();
}

#[tokio::test]
async fn statements_end_in_time() {
    let ledger = Ledger::open().await;
    let error = ledger
        .database
        .begin_platform()
        .one(&NAP, (3.5,))
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::Timeout(_)), "{error:?}");
}

#[tokio::test]
async fn a_stale_statement_is_a_conflict_once() {
    let ledger = Ledger::open().await;
    let all_at_once = async || {
        let transactions = [(); 3].map(|()| ledger.database.begin_platform());
        let [one, two, three] = transactions.each_ref().map(|tx| tx.all(&STAR, ()));
        let answers = tokio::join!(one, two, three);
        for tx in transactions {
            // The connection is free again when this returns.
            let _ = tx.commit().await;
        }
        [answers.0, answers.1, answers.2]
    };
    assert!(
        all_at_once().await.iter().all(Result::is_ok),
        "three connections know the statement"
    );
    let admin = ledger.test.admin().await;
    admin
        .batch_execute("ALTER TABLE ledger.rates ADD COLUMN note text")
        .await
        .unwrap();

    let error = ledger.database.begin_platform().all(&STAR, ()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Conflict(_)), "{error:?}");
    let answers = all_at_once().await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn a_signal_is_given_after_the_commit_only() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant();
    let signal = ledger.database.signal("work");
    let given = async || {
        tokio::time::timeout(Duration::from_millis(100), signal.notified())
            .await
            .is_ok()
    };

    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "dropped").await.unwrap();
    tx.signal_on_commit("work");
    drop(tx);
    assert!(!given().await);

    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "kept").await.unwrap();
    tx.signal_on_commit("work");
    assert!(!given().await);
    let waiting = signal.notified();
    tx.commit().await.unwrap();
    tokio::time::timeout(Duration::from_secs(1), waiting)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_broken_connection_is_not_given_out_again() {
    let ledger = Ledger::open().await;
    ledger.tenant_with("acme").await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'plaza_ledger'
                  AND datname = current_database()";
    ledger.test.admin().await.execute(sql, &[]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    ledger.tenant_with("rival").await;
}
