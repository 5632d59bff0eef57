//! A storm of requests that are given up at every point they can be given up at.

use std::time::Duration;

use futures_util::future::join_all;
use plaza_database::{Database, DatabaseError, DatabaseLimits};
use plaza_kernel::{Clock, TenantId};
use plaza_testkit::eventually;

use crate::ledger::*;

const STORM: u64 = 10_000;

/// Numbers that look random and are the same every time (SplitMix64).
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One request: reads or a transaction. Returns whether it saw a row that is not its tenant's.
async fn request(
    database: Database,
    clock: Clock,
    tenant: TenantId,
    turn: u64,
) -> Result<bool, DatabaseError> {
    let foreign = |rows: &[Account]| rows.iter().any(|account| account.tenant_id != tenant.as_uuid());
    let open = |name: String| (tenant.as_uuid(), clock.uuid(), name);
    if !turn.is_multiple_of(3) {
        return Ok(foreign(&database.read(tenant, &SOME_ACCOUNTS, ()).await?));
    }
    let tx = database.begin(tenant);
    let before = tx.all(&SOME_ACCOUNTS, ()).await?;
    let (opened, renamed) = tokio::join!(
        tx.execute(&OPEN_ACCOUNT, open(format!("storm {turn}"))),
        tx.all(&SOME_ACCOUNTS, ()),
    );
    let foreign = foreign(&before) || foreign(&renamed?);
    opened?;
    match turn % 4 {
        0 => drop(tx),
        1 => tx.commit().await?,
        _ => drop(
            tx.execute_and_commit(&OPEN_ACCOUNT, open(format!("last {turn}")))
                .await?,
        ),
    }
    Ok(foreign)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_given_up_requests_leave_no_foreign_row_and_no_open_transaction() {
    let ledger = Ledger::open().await;
    let limits = DatabaseLimits {
        read_wait: Duration::from_secs(20),
        transaction_wait: Duration::from_secs(20),
        ..DatabaseLimits::default()
    };
    let database = ledger.limited(limits);
    let mut tenants = Vec::new();
    for name in ["one", "two", "three", "four"] {
        tenants.push(ledger.tenant_with(name).await);
    }
    let (mut finished, mut given_up) = (0, 0);
    for wave in 0..(STORM / 100) {
        let requests = (0..100).map(|number| {
            let turn = wave * 100 + number;
            let tenant = tenants[usize::try_from(scattered(turn) % 4).unwrap()];
            let request = request(database.clone(), ledger.clock.clone(), tenant, turn);
            let patience = Duration::from_micros(scattered(turn + STORM) % 30_000);
            tokio::spawn(async move {
                if turn.is_multiple_of(10) {
                    Ok(request.await)
                } else {
                    tokio::time::timeout(patience, request).await
                }
            })
        });
        for answer in join_all(requests).await {
            match answer.unwrap() {
                Ok(Ok(foreign)) => {
                    assert!(!foreign, "a foreign row was seen");
                    finished += 1;
                }
                Ok(Err(error)) => panic!("a request failed: {error:?}"),
                Err(_) => given_up += 1,
            }
        }
    }
    assert!(
        finished > 1_000 && given_up > 1_000,
        "{finished} finished, {given_up} given up"
    );
    eventually(SOON, || async {
        ledger.sessions("idle in transaction%").await == 0
    })
    .await;
    eventually(SOON, || async { ledger.sessions("active").await == 0 }).await;
    // One shared and four exclusive ones of either `Databases`.
    eventually(SOON, || async { ledger.sessions("%").await <= 10 }).await;
    let strays = "SELECT count(*) FROM ledger.accounts WHERE tenant_id <> ALL ($1)";
    let ids: Vec<_> = tenants.iter().map(TenantId::as_uuid).collect();
    let strays: i64 = ledger
        .test
        .admin()
        .await
        .query_one(strays, &[&ids])
        .await
        .unwrap()
        .get(0);
    assert_eq!(strays, 0);
    for tenant in tenants {
        assert!(
            !database
                .begin(tenant)
                .all(&SOME_ACCOUNTS, ())
                .await
                .unwrap()
                .is_empty()
        );
        database.read(tenant, &COUNT_ACCOUNTS, ()).await.unwrap();
    }
}
