//! Row-level security holds when the statement's own predicates are gone.

use plaza_database::{DatabaseError, violated};
use tokio_postgres::error::SqlState;

use crate::ledger::*;

fn refused_by_row_security(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Refused(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE))
}

#[tokio::test]
async fn a_select_without_a_predicate_sees_one_tenant() {
    let ledger = Ledger::open().await;
    let (acme, rival) = (
        ledger.tenant_with("acme").await,
        ledger.tenant_with("rival").await,
    );

    assert_eq!(ledger.names(acme).await, ["acme"]);
    assert_eq!(ledger.names(rival).await, ["rival"]);
    assert_eq!(ledger.names(ledger.tenant()).await, [""; 0]);
    assert_eq!(
        ledger
            .database
            .begin(acme)
            .one(&COUNT_ACCOUNTS, ())
            .await
            .unwrap(),
        (1,)
    );
}

#[tokio::test]
async fn the_platform_sees_no_tenants_rows() {
    let ledger = Ledger::open().await;
    ledger.tenant_with("acme").await;

    assert_eq!(
        ledger.database.read_platform(&COUNT_ACCOUNTS, ()).await.unwrap(),
        [(0,)]
    );
    assert_eq!(
        ledger
            .database
            .begin_platform()
            .one(&COUNT_ACCOUNTS, ())
            .await
            .unwrap(),
        (0,)
    );
}

/// Whoever forgets to say whose rows they are after gets nobody's.
#[tokio::test]
async fn a_session_that_was_told_no_tenant_sees_and_writes_no_tenants_rows() {
    let ledger = Ledger::open().await;
    let acme = ledger.tenant_with("acme").await;
    let tx = ledger.database.begin(acme);
    tx.execute(&STATE_FACT, (Some(acme.as_uuid()), "acme".to_owned()))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let session = ledger.test.admin().await;
    session.batch_execute("SET ROLE plaza_ledger").await.unwrap();
    let over = format!("BEGIN; SET LOCAL app.tenant_id = '{acme}'; COMMIT");
    // Never told; told in a transaction that is over; told that it is nobody's.
    for told in ["SELECT 1", over.as_str(), "SET app.tenant_id = ''"] {
        session.batch_execute(told).await.unwrap();
        let seen = "SELECT (SELECT count(*) FROM ledger.accounts) + (SELECT count(*) FROM ledger.outbox)";
        let seen: i64 = session.query_one(seen, &[]).await.unwrap().get(0);
        assert_eq!(seen, 0, "after {told}");
        for change in [
            "UPDATE ledger.accounts SET name = 'x'",
            "DELETE FROM ledger.accounts",
        ] {
            assert_eq!(session.execute(change, &[]).await.unwrap(), 0, "after {told}");
        }
        let insert = "INSERT INTO ledger.accounts (tenant_id, id, name) VALUES ($1, gen_random_uuid(), 'x')";
        let refused = session.execute(insert, &[&acme.as_uuid()]).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "after {told}"
        );
    }
    assert_eq!(ledger.names(acme).await, ["acme"]);
}

#[tokio::test]
async fn a_row_of_another_tenant_cannot_be_written() {
    let ledger = Ledger::open().await;
    let (acme, rival) = (
        ledger.tenant_with("acme").await,
        ledger.tenant_with("rival").await,
    );

    let tx = ledger.database.begin(acme);
    let error = ledger.open_account(&tx, rival, "smuggled").await.unwrap_err();
    assert!(refused_by_row_security(&error), "{error:?}");

    let tx = ledger.database.begin_platform();
    let error = tx
        .execute(
            &OPEN_ACCOUNT,
            (rival.as_uuid(), ledger.clock.uuid(), "x".to_owned()),
        )
        .await
        .unwrap_err();
    assert!(refused_by_row_security(&error), "{error:?}");

    let tx = ledger.database.begin(acme);
    assert_eq!(tx.execute(&RENAME_ALL, ("mine".to_owned(),)).await.unwrap(), 1);
    assert_eq!(tx.execute(&DELETE_ALL, ()).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(ledger.names(rival).await, ["rival"]);
}

#[tokio::test]
async fn a_foreign_key_does_not_reach_another_tenants_parent() {
    let ledger = Ledger::open().await;
    let (acme, rival) = (ledger.tenant(), ledger.tenant());
    let tx = ledger.database.begin(rival);
    let account = ledger.open_account(&tx, rival, "rival").await.unwrap();
    tx.commit().await.unwrap();

    let tx = ledger.database.begin(acme);
    let error = tx.execute(&BOOK, (acme.as_uuid(), account, 1)).await.unwrap_err();
    assert_eq!(violated(&error), Some("entries_account_fkey"));

    let tx = ledger.database.begin(rival);
    assert_eq!(tx.execute(&BOOK, (rival.as_uuid(), account, 1)).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_scoped_table_shows_the_platforms_facts_to_the_platform_only() {
    let ledger = Ledger::open().await;
    let (acme, rival) = (ledger.tenant(), ledger.tenant());
    for (tx, owner, fact) in [
        (ledger.database.begin(acme), acme, "acme"),
        (ledger.database.begin(rival), rival, "rival"),
    ] {
        tx.execute(&STATE_FACT, (Some(owner.as_uuid()), fact.to_owned()))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let tx = ledger.database.begin_platform();
    tx.execute(&STATE_FACT, (None, "platform".to_owned()))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let facts = |rows: Vec<(String,)>| rows.into_iter().map(|(fact,)| fact).collect::<Vec<_>>();
    assert_eq!(
        facts(ledger.database.read(acme, &FACTS, ()).await.unwrap()),
        ["acme"]
    );
    assert_eq!(
        facts(ledger.database.read_platform(&FACTS, ()).await.unwrap()),
        ["platform"]
    );
    let system = ledger.database.begin_system();
    assert_eq!(
        facts(system.all(&SYSTEM_FACTS, ()).await.unwrap()),
        ["acme", "platform", "rival"]
    );

    let tx = ledger.database.begin(acme);
    let error = tx
        .execute(&STATE_FACT, (None, "forged".to_owned()))
        .await
        .unwrap_err();
    assert!(refused_by_row_security(&error), "{error:?}");
}

#[tokio::test]
async fn the_system_login_may_what_was_granted_and_no_more() {
    let ledger = Ledger::open().await;
    ledger.tenant_with("acme").await;
    ledger.tenant_with("rival").await;

    assert_eq!(
        ledger
            .database
            .begin_system()
            .one(&SYSTEM_COUNT, ())
            .await
            .unwrap(),
        (2,)
    );
    let error = ledger
        .database
        .begin_system()
        .execute(&SYSTEM_DELETE, ())
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_table_that_only_grows_cannot_be_changed() {
    plaza_database::statements! {
        static SHRINK: () => () = "DELETE FROM ledger.entries";
    }
    let ledger = Ledger::open().await;
    let error = ledger
        .database
        .begin(ledger.tenant())
        .execute(&SHRINK, ())
        .await
        .unwrap_err();
    assert!(refused_by_row_security(&error), "{error:?}");
}
