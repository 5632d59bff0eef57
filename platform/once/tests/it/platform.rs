//! A key of the platform in the transaction of a tenant: what makes a tenant runs as the new tenant's own, and a repetition makes
//! another new tenant's id before it knows that it is one.

use plaza_database::TenantTx;
use plaza_kernel::{Failure, Kind, OnceKey, TenantId, UserId};
use plaza_once::{Entry, OnceError, enter, enter_platform};
use serde_json::json;

use crate::keys::{Shop, key};

const ROUTE: &str = "open_branch";

/// A shop that opens branches: each is a tenant of its own.
struct Chain {
    shop: Shop,
    actor: UserId,
}

impl Chain {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let actor = UserId::generate(&plaza_kernel::Clock::system());
        Self { shop, actor }
    }

    /// In the transaction of a tenant that nobody has heard of before.
    fn begin(&self) -> (TenantId, TenantTx) {
        let branch = TenantId::generate(&plaza_kernel::Clock::system());
        (branch, self.shop.database.begin(branch))
    }

    /// Opens a branch: which one, and whether it is a new one.
    async fn branch(&self, key: &OnceKey) -> Result<(String, bool), OnceError> {
        let (branch, tx) = self.begin();
        let entry = match enter_platform(&tx, key, self.actor, ROUTE).await? {
            Entry::Replay { status, body } => {
                assert_eq!(status, 201);
                return Ok((body, false));
            }
            entry => entry,
        };
        let body = json!({ "branch": branch });
        entry.leave(&tx, 201, &body).await?;
        tx.commit().await?;
        Ok((body.to_string(), true))
    }
}

#[tokio::test]
async fn a_repeated_request_finds_its_key_although_its_transaction_is_about_another_tenant() {
    let chain = Chain::open().await;
    let (first, is_new) = chain.branch(&key("a", 1)).await.unwrap();
    assert!(is_new);
    for _ in 0..3 {
        assert_eq!(chain.branch(&key("a", 1)).await.unwrap(), (first.clone(), false));
    }
    let (second, is_new) = chain.branch(&key("b", 1)).await.unwrap();
    assert!(is_new && second != first);
}

#[tokio::test]
async fn of_many_at_once_one_branch_is_opened_and_all_are_told_of_it() {
    let chain = Chain::open().await;
    let one = key("a", 1);
    let (a, b, c, d, e) = tokio::join!(
        chain.branch(&one),
        chain.branch(&one),
        chain.branch(&one),
        chain.branch(&one),
        chain.branch(&one)
    );
    let told = [a, b, c, d, e].map(Result::unwrap);
    assert_eq!(told.iter().filter(|(_, is_new)| *is_new).count(), 1, "{told:?}");
    assert!(told.iter().all(|(branch, _)| *branch == told[0].0), "{told:?}");
}

#[tokio::test]
async fn a_branch_that_is_not_opened_after_all_leaves_no_key() {
    let chain = Chain::open().await;
    let (_, tx) = chain.begin();
    let entry = enter_platform(&tx, &key("a", 1), chain.actor, ROUTE)
        .await
        .unwrap();
    entry.leave(&tx, 201, &()).await.unwrap();
    // The effect fails behind the answer: nothing is committed.
    drop(tx);
    let (_, is_new) = chain.branch(&key("a", 1)).await.unwrap();
    assert!(is_new);
}

#[tokio::test]
async fn a_key_of_the_platform_does_for_one_request_of_one_person() {
    let mut chain = Chain::open().await;
    let (first, _) = chain.branch(&key("a", 1)).await.unwrap();
    let refused = chain.branch(&key("a", 2)).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (Kind::Invalid, "IDEMPOTENCY_MISMATCH")
    );
    chain.actor = UserId::generate(&plaza_kernel::Clock::system());
    let (other, is_new) = chain.branch(&key("a", 2)).await.unwrap();
    assert!(is_new && other != first, "another person's key is another");
}

#[tokio::test]
async fn keys_of_the_platform_and_of_tenants_do_not_meet() {
    let chain = Chain::open().await;
    chain.branch(&key("a", 1)).await.unwrap();
    let (_, tx) = chain.begin();
    let own = enter(&tx, &key("a", 2), chain.actor, ROUTE).await.unwrap();
    assert!(matches!(own, Entry::Fresh(_)), "the tenant's own key is free");
    drop(tx);
    // In a transaction of the platform it is the same key, whichever way one comes in.
    let tx = chain.shop.database.begin_platform();
    let again = enter(&tx, &key("a", 1), chain.actor, ROUTE).await.unwrap();
    assert!(matches!(again, Entry::Replay { status: 201, .. }));
}

#[tokio::test]
async fn without_a_key_every_request_opens_a_branch() {
    let chain = Chain::open().await;
    let (first, _) = chain.branch(&OnceKey::NONE).await.unwrap();
    let (second, is_new) = chain.branch(&OnceKey::NONE).await.unwrap();
    assert!(is_new && first != second);
}
