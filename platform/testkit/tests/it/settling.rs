//! Settling, and noticing what nobody handled.

use plaza_database::TenantTx;
use plaza_kernel::{Clock, Event, OrderKey, TenantId};
use plaza_messaging::{Consumer, Subscriptions, Unconsumed, outbox};
use plaza_testkit::{TestDatabase, assert_nothing_unhandled, callers, settle};
use serde::{Deserialize, Serialize};

use crate::{SAMPLE, schema};

#[derive(Serialize, Deserialize)]
struct Greeted {
    spoilt: bool,
}

impl Event for Greeted {
    const NAME: &'static str = "sample.greeted";

    fn order_key(&self) -> OrderKey {
        OrderKey::new("everybody")
    }
}

struct Answer;

impl Consumer for Answer {
    type Event = Greeted;
    const NAME: &'static str = "sample.answer";

    async fn consume(&self, _: &TenantTx, event: &Greeted) -> Result<(), Unconsumed> {
        if event.spoilt {
            Err(Unconsumed::retry("it is spoilt"))
        } else {
            Ok(())
        }
    }
}

async fn greet(database: &TestDatabase, tenant: TenantId, spoilt: bool) {
    let tx = database.of(SAMPLE).begin(tenant);
    outbox::append(&tx, &Clock::system(), &Greeted { spoilt })
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn subscriptions() -> Subscriptions {
    Subscriptions::new().with(Answer)
}

#[tokio::test]
async fn what_can_be_handled_is_handled() {
    let database = TestDatabase::fresh(&[schema()]).await.strict();
    greet(&database, callers::tenant(), false).await;
    settle([(database.of(SAMPLE), subscriptions())]).await;
    assert_nothing_unhandled(&database.of(SAMPLE)).await;
    database.assert_nothing_unhandled().await;
}

#[tokio::test]
#[should_panic(expected = "sample.dead_letters: sample.greeted for sample.answer")]
async fn a_dead_letter_is_noticed() {
    let database = TestDatabase::fresh(&[schema()]).await;
    greet(&database, callers::tenant(), true).await;
    settle([(database.of(SAMPLE), subscriptions())]).await;
    database.assert_nothing_unhandled().await;
}

#[tokio::test]
#[should_panic(expected = "sample.outbox: sample.greeted of key everybody")]
async fn a_strict_database_fails_the_test_that_forgot_its_events() {
    let database = TestDatabase::fresh(&[schema()]).await.strict();
    greet(&database, callers::tenant(), false).await;
}

#[tokio::test]
async fn one_that_is_not_strict_does_not_care() {
    let database = TestDatabase::fresh(&[schema()]).await;
    greet(&database, callers::tenant(), false).await;
}
