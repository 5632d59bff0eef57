//! What was refused is written down, but not a thousand times.

use chrono::TimeDelta;
use plaza_audit::Denials;
use plaza_kernel::{Clock, Scope};
use plaza_testkit::callers;
use serde_json::json;

use crate::shop::Shop;

const OPERATION: &str = "DELETE /api/v1/things/{id}";

#[tokio::test]
async fn a_refusal_is_told_where_the_person_belongs() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let (member, admin) = (callers::member(tenant), callers::platform_admin());
    let denials = Denials::new(shop.own(), shop.clock.clone());
    for person in [&member, &admin] {
        denials.tell(person, OPERATION, "FORBIDDEN").await;
    }
    for (scope, person) in [(Scope::from(tenant), &member), (Scope::Platform, &admin)] {
        let all = shop.all(scope).await;
        let [row] = &all[..] else { panic!("{all:?}") };
        let told = row.to_json();
        assert_eq!(
            (&told["action"], &told["outcome"]),
            (&json!("operations.use"), &json!("denied"))
        );
        assert_eq!(told["target"], json!({"kind": "operation", "id": OPERATION}));
        assert_eq!(told["actor"]["id"], json!(person.subject));
        assert_eq!(told["after"], json!({"code": "FORBIDDEN"}));
    }
}

#[tokio::test]
async fn who_is_refused_again_and_again_is_told_of_once_a_second() {
    let shop = Shop::open().await;
    let (clock, hand) = Clock::manual(shop.clock.now());
    let tenant = callers::tenant();
    let (eager, other) = (callers::member(tenant), callers::member(tenant));
    let denials = Denials::new(shop.own(), clock);
    let mut expected = 0;
    for _ in 0..3 {
        for _ in 0..20 {
            denials.tell(&eager, OPERATION, "FORBIDDEN").await;
        }
        expected += 1;
        assert_eq!(shop.all(tenant).await.len(), expected);
        hand.advance(TimeDelta::milliseconds(1_001));
    }
    denials.tell(&other, OPERATION, "FORBIDDEN").await;
    assert_eq!(shop.all(tenant).await.len(), expected + 1, "others are heard");
}
