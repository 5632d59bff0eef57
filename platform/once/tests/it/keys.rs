//! A request with a key has one effect and one answer, whatever happens in between.

use std::time::{Duration, Instant};

use plaza_database::{Database, Schema, TenantTx};
use plaza_kernel::{Clock, Failure, Kind, OnceKey, OnceRequest, ServiceName, TenantId, UserId};
use plaza_once::{Entry, OnceError, enter};
use plaza_testkit::TestDatabase;
use serde_json::json;

pub(crate) const SHOP: ServiceName = ServiceName::new("shop");
pub(crate) const ROUTE: &str = "create_order";

pub(crate) fn schema() -> Schema {
    Schema::new(SHOP, &[])
        .with(plaza_schedule::migrations())
        .with(plaza_once::migrations())
}

pub(crate) fn key(key: &str, asked: u8) -> OnceKey {
    OnceKey(Some(OnceRequest {
        key: key.to_owned(),
        fingerprint: [asked; 32],
    }))
}

pub(crate) struct Shop {
    pub(crate) test: TestDatabase,
    pub(crate) database: Database,
    tenant: TenantId,
    pub(crate) actor: UserId,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let test = TestDatabase::fresh(&[schema()]).await;
        let clock = Clock::system();
        Self {
            database: test.of(SHOP),
            test,
            tenant: TenantId::generate(&clock),
            actor: UserId::generate(&clock),
        }
    }

    pub(crate) fn begin(&self) -> TenantTx {
        self.database.begin(self.tenant)
    }

    /// Comes in, leaves an answer, commits: what a verb does. True when it had its effect.
    pub(crate) async fn order(&self, key: &OnceKey) -> Result<bool, OnceError> {
        let tx = self.begin();
        let entry = match enter(&tx, key, self.actor, ROUTE).await? {
            Entry::Replay { status, body } => {
                assert_eq!((status, body.as_str()), (201, r#"{"order":7}"#));
                return Ok(false);
            }
            entry => entry,
        };
        entry.leave(&tx, 201, &json!({"order": 7})).await?;
        tx.commit().await?;
        Ok(true)
    }
}

#[tokio::test]
async fn a_repeated_request_has_no_second_effect_and_the_same_answer() {
    let shop = Shop::open().await;
    assert!(shop.order(&key("a", 1)).await.unwrap());
    for _ in 0..3 {
        assert!(!shop.order(&key("a", 1)).await.unwrap());
    }
    assert!(shop.order(&key("b", 1)).await.unwrap());
}

#[tokio::test]
async fn without_a_key_every_request_has_its_effect() {
    let shop = Shop::open().await;
    for _ in 0..2 {
        assert!(shop.order(&OnceKey::NONE).await.unwrap());
    }
}

#[tokio::test]
async fn a_key_does_for_one_request_only() {
    let shop = Shop::open().await;
    shop.order(&key("a", 1)).await.unwrap();
    let refused = shop.order(&key("a", 2)).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (Kind::Invalid, "IDEMPOTENCY_MISMATCH")
    );
    assert!(
        !shop.order(&key("a", 1)).await.unwrap(),
        "the first one still stands"
    );
}

#[tokio::test]
async fn a_key_is_its_actors_in_its_tenant_for_its_operation() {
    let mut shop = Shop::open().await;
    shop.order(&key("a", 1)).await.unwrap();
    let tx = shop.begin();
    let other = enter(&tx, &key("a", 1), shop.actor, "cancel_order")
        .await
        .unwrap();
    assert!(matches!(other, Entry::Fresh(_)));
    drop(tx);
    let (actor, tenant) = (shop.actor, shop.tenant);
    shop.actor = UserId::generate(&Clock::system());
    assert!(shop.order(&key("a", 1)).await.unwrap());
    (shop.actor, shop.tenant) = (actor, TenantId::generate(&Clock::system()));
    assert!(shop.order(&key("a", 1)).await.unwrap());
    shop.tenant = tenant;
    assert!(!shop.order(&key("a", 1)).await.unwrap());
}

#[tokio::test]
async fn what_fails_leaves_no_key() {
    let shop = Shop::open().await;
    let tx = shop.begin();
    let entry = enter(&tx, &key("a", 1), shop.actor, ROUTE).await.unwrap();
    assert!(matches!(entry, Entry::Fresh(_)));
    // The effect fails: nothing is committed.
    drop(tx);
    assert!(shop.order(&key("a", 1)).await.unwrap());
}

#[tokio::test]
async fn of_many_at_once_one_has_its_effect() {
    let shop = Shop::open().await;
    let one = key("a", 1);
    let all = futures(&shop, &one).await;
    assert_eq!(all.iter().filter(|had| **had).count(), 1, "{all:?}");
}

/// Eight requests beside each other.
async fn futures(shop: &Shop, key: &OnceKey) -> Vec<bool> {
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        shop.order(key),
        shop.order(key),
        shop.order(key),
        shop.order(key),
        shop.order(key),
        shop.order(key),
        shop.order(key),
        shop.order(key)
    );
    [a, b, c, d, e, f, g, h].map(Result::unwrap).to_vec()
}

#[tokio::test]
async fn who_comes_while_the_first_is_under_way_waits_a_little_and_is_told() {
    let shop = Shop::open().await;
    let first = shop.begin();
    let entry = enter(&first, &key("a", 1), shop.actor, ROUTE).await.unwrap();
    let began = Instant::now();
    let refused = shop.order(&key("a", 1)).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (Kind::Conflict, "IDEMPOTENCY_RUNNING")
    );
    assert_eq!(refused.retry_after(), Some(1));
    assert!(began.elapsed() >= Duration::from_millis(1_900));
    entry.leave(&first, 201, &json!({"order": 7})).await.unwrap();
    first.commit().await.unwrap();
    assert!(!shop.order(&key("a", 1)).await.unwrap());
}

#[tokio::test]
async fn the_wait_for_other_locks_is_as_it_was() {
    let shop = Shop::open().await;
    let tx = shop.begin();
    let _entry = enter(&tx, &key("a", 1), shop.actor, ROUTE).await.unwrap();
    let (before,) = tx.one(&LOCK_TIMEOUT, ()).await.unwrap();
    assert_eq!(before, "0");
}

plaza_database::statements! {
    static LOCK_TIMEOUT: () => (String,) = "SELECT current_setting('lock_timeout')";
}

#[tokio::test]
async fn after_a_day_a_key_is_free_again() {
    let shop = Shop::open().await;
    shop.order(&key("a", 1)).await.unwrap();
    let admin = shop.test.admin().await;
    let aged = "UPDATE shop.once SET created_at = created_at - interval '25 hours'";
    assert_eq!(admin.execute(aged, &[]).await.unwrap(), 1);
    assert!(shop.order(&key("a", 2)).await.unwrap());
    assert!(!shop.order(&key("a", 2)).await.unwrap());
}

#[tokio::test]
async fn the_platform_has_keys_of_its_own() {
    let shop = Shop::open().await;
    shop.order(&key("a", 1)).await.unwrap();
    for expected in [true, false] {
        let tx = shop.database.begin_platform();
        let entry = enter(&tx, &key("a", 9), shop.actor, ROUTE).await.unwrap();
        assert_eq!(matches!(entry, Entry::Fresh(_)), expected);
        entry.leave(&tx, 202, &()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_is_text_already_comes_back_as_it_was() {
    let shop = Shop::open().await;
    let tx = shop.begin();
    let Entry::Fresh(ticket) = enter(&tx, &key("a", 1), shop.actor, ROUTE).await.unwrap() else {
        panic!("it is the first");
    };
    ticket.leave_text(&tx, 204, String::new()).await.unwrap();
    tx.commit().await.unwrap();
    let again = enter(&shop.begin(), &key("a", 1), shop.actor, ROUTE)
        .await
        .unwrap();
    assert!(matches!(again, Entry::Replay { status: 204, body } if body.is_empty()));
}
