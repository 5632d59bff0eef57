//! Databases of tests.

use plaza_database::statements;
use plaza_kernel::{Clock, TenantId};
use plaza_testkit::{RoundTrips, TestDatabase, callers, catalogue};
use uuid::Uuid;

use crate::{SAMPLE, schema};

statements! {
    static INSERT: (TenantId, Uuid, String) => () =
        "INSERT INTO sample.things (tenant_id, id, name) VALUES ($1, $2, $3)";
    static COUNT: () => (i64,) = "SELECT count(*) FROM sample.things";
}

async fn add(database: &TestDatabase, tenant: TenantId) {
    let tx = database.of(SAMPLE).begin(tenant);
    let row = (tenant, Clock::system().uuid(), "a thing".to_owned());
    tx.execute(&INSERT, row).await.unwrap();
    tx.commit().await.unwrap();
}

async fn count(database: &TestDatabase, tenant: TenantId) -> i64 {
    database.of(SAMPLE).read(tenant, &COUNT, ()).await.unwrap()[0].0
}

#[tokio::test]
async fn two_databases_of_the_same_schemas_share_nothing() {
    let schemas = [schema()];
    let (one, other) = tokio::join!(TestDatabase::fresh(&schemas), TestDatabase::fresh(&schemas));
    let tenant = callers::tenant();
    add(&one, tenant).await;
    assert_eq!((count(&one, tenant).await, count(&other, tenant).await), (1, 0));
}

#[tokio::test]
async fn the_service_is_logged_in_as_itself_and_sees_one_tenant() {
    let database = TestDatabase::fresh(&[schema()]).await;
    database.of(SAMPLE).check_logins().await.unwrap();
    let (acme, rival) = (callers::tenant(), callers::tenant());
    add(&database, acme).await;
    assert_eq!(
        (count(&database, acme).await, count(&database, rival).await),
        (1, 0)
    );
    let rows = database
        .admin()
        .await
        .query_one("SELECT count(*) FROM sample.things", &[])
        .await
        .unwrap();
    assert_eq!(rows.get::<_, i64>(0), 1, "assertions see everything");
}

#[tokio::test]
async fn a_database_is_gone_with_its_value() {
    let other = TestDatabase::fresh(&[schema()]).await;
    let database = TestDatabase::fresh(&[schema()]).await;
    let name: String = database
        .admin()
        .await
        .query_one("SELECT current_database()::text", &[])
        .await
        .unwrap()
        .get(0);
    // A pool with open connections does not keep it alive.
    database.of(SAMPLE).ping().await.unwrap();
    drop(database);
    let found = other
        .admin()
        .await
        .query("SELECT FROM pg_catalog.pg_database WHERE datname = $1", &[&name])
        .await
        .unwrap();
    assert!(found.is_empty());
}

#[tokio::test]
async fn a_read_is_one_round_trip_and_a_transaction_of_three_calls_is_more() {
    let database = TestDatabase::fresh(&[schema()]).await;
    let proxy = RoundTrips::to(&database).await;
    let (reached, tenant) = (proxy.of(SAMPLE), callers::tenant());
    reached.read(tenant, &COUNT, ()).await.unwrap();
    proxy.take();
    for _ in 0..20 {
        reached.read(tenant, &COUNT, ()).await.unwrap();
        assert_eq!(proxy.take(), 1);
    }
    for _ in 0..2 {
        let tx = reached.begin(tenant);
        tx.one(&COUNT, ()).await.unwrap();
        tx.one(&COUNT, ()).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert!(proxy.take() > 2);
}

#[tokio::test]
async fn statements_and_schema_of_the_sample_fit() {
    catalogue::assert_statements_fit(env!("CARGO_CRATE_NAME"), schema()).await;
    catalogue::assert_lint_is_silent(&[schema()]).await;
}
