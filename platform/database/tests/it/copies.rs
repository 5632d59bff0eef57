//! Many rows at once: through a temporary table, and through the policy.

use std::task::Poll;

use futures_util::FutureExt as _;
use plaza_database::{DatabaseError, statements, temp_tables};
use plaza_kernel::TenantId;
use plaza_testkit::eventually;
use uuid::Uuid;

use crate::ledger::*;

temp_tables! {
    /// Accounts on their way.
    static ARRIVING: (Uuid, Option<String>) = ("arriving_accounts", "id uuid, name text");
}

statements! {
    /// Opens all that arrived.
    static OPEN_ARRIVED: (Uuid,) => () =
        "INSERT INTO ledger.accounts (tenant_id, id, name)
         SELECT $1, a.id, coalesce(a.name, 'nameless ' || a.id) FROM pg_temp.arriving_accounts AS a";
    /// What is on its way.
    static ARRIVED: () => (i64,) = "SELECT count(*) FROM pg_temp.arriving_accounts";
}

fn accounts(ledger: &Ledger, count: usize) -> Vec<(Uuid, Option<String>)> {
    (0..count)
        .map(|number| (ledger.clock.uuid(), Some(format!("account {number:05}"))))
        .collect()
}

async fn copied_and_opened(ledger: &Ledger, tenant: TenantId, count: usize) -> Result<u64, DatabaseError> {
    let tx = ledger.database.begin(tenant);
    let copied = tx.copy_into(&ARRIVING, accounts(ledger, count)).await?;
    assert_eq!(copied, u64::try_from(count).unwrap());
    let opened = tx.execute(&OPEN_ARRIVED, (tenant.as_uuid(),)).await?;
    tx.commit().await?;
    Ok(opened)
}

#[tokio::test]
async fn what_is_copied_goes_on_through_the_policy() {
    let ledger = Ledger::open().await;
    let (tenant, other) = (ledger.tenant(), ledger.tenant());
    assert_eq!(copied_and_opened(&ledger, tenant, 20_000).await.unwrap(), 20_000);
    assert_eq!(copied_and_opened(&ledger, other, 3).await.unwrap(), 3);
    assert_eq!(
        ledger.names(other).await,
        ["account 00000", "account 00001", "account 00002"]
    );
    let count = ledger.database.read(tenant, &COUNT_ACCOUNTS, ()).await.unwrap();
    assert_eq!(count, [(20_000,)]);

    let tx = ledger.database.begin(tenant);
    tx.copy_into(&ARRIVING, [(ledger.clock.uuid(), None)])
        .await
        .unwrap();
    let foreign = tx.execute(&OPEN_ARRIVED, (other.as_uuid(),)).await.unwrap_err();
    assert!(
        matches!(foreign, DatabaseError::Refused(_)),
        "another tenant's row: {foreign:?}"
    );
}

#[tokio::test]
async fn nobody_finds_what_a_transaction_before_has_copied() {
    let ledger = Ledger::open().await;
    let mut connections = Vec::new();
    // Committed, rolled back, and broken: the table stays with the connection, the rows do not.
    for end in ["commit", "drop", "fail", "commit"] {
        let tx = ledger.database.begin(ledger.tenant());
        tx.copy_into(&ARRIVING, accounts(&ledger, 100)).await.unwrap();
        tx.copy_into(&ARRIVING, accounts(&ledger, 1)).await.unwrap();
        assert_eq!(tx.one(&ARRIVED, ()).await.unwrap(), (101,), "after {end}");
        connections.push(tx.one(&BACKEND, ()).await.unwrap());
        match end {
            "commit" => tx.commit().await.unwrap(),
            "fail" => {
                tx.execute(&OPEN_ARRIVED, (Uuid::nil(),)).await.unwrap_err();
                drop(tx);
            }
            _ => drop(tx),
        }
        eventually(SOON, || async {
            ledger.sessions("idle in transaction%").await == 0
        })
        .await;
    }
    connections.dedup();
    assert_eq!(connections.len(), 1, "or it shows nothing");
}

#[tokio::test]
async fn a_copy_that_was_given_up_is_not_committed() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant_with("kept").await;
    let tx = ledger.database.begin(tenant);
    ledger.open_account(&tx, tenant, "lost").await.unwrap();
    tx.copy_into(&ARRIVING, []).await.unwrap();
    let mut copy = Box::pin(tx.copy_into(&ARRIVING, accounts(&ledger, 50_000)));
    let begun = std::future::poll_fn(|context| Poll::Ready(copy.poll_unpin(context))).await;
    assert!(begun.is_pending());
    drop(copy);
    let ended = tx.commit().await;
    assert!(matches!(ended, Err(DatabaseError::NotCommitted)), "{ended:?}");
    assert_eq!(ledger.names(tenant).await, ["kept"]);
    assert_eq!(copied_and_opened(&ledger, tenant, 2).await.unwrap(), 2);
}

#[tokio::test]
async fn a_temporary_table_makes_no_login_unsafe() {
    let ledger = Ledger::open().await;
    let tx = ledger.database.begin(ledger.tenant());
    tx.copy_into(&ARRIVING, accounts(&ledger, 1)).await.unwrap();
    tx.commit().await.unwrap();
    let tables = "SELECT count(*) FROM pg_class WHERE relname = 'arriving_accounts'";
    let found: i64 = ledger
        .test
        .admin()
        .await
        .query_one(tables, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(found, 1);
    ledger.database.check_logins().await.unwrap();
}

#[tokio::test]
async fn a_login_that_may_make_no_temporary_table_is_known_before() {
    let ledger = Ledger::open().await;
    assert!(ledger.database.may_stage().await.unwrap());
    let revoke = "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$";
    ledger.test.admin().await.batch_execute(revoke).await.unwrap();
    assert!(!ledger.database.may_stage().await.unwrap());
    let tx = ledger.database.begin(ledger.tenant());
    let refused = tx.copy_into(&ARRIVING, accounts(&ledger, 1)).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Refused(_)), "{refused:?}");
}
