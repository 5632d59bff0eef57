//! What is recorded, and how it is found again.

use plaza_audit::{Action, Actor, AuditFilter, Entry, list, record};
use plaza_kernel::{PageQuery, RequestId, Scope, UserId};
use plaza_rpc::{Carried, carry};
use plaza_testkit::callers;
use serde_json::json;

use crate::shop::{PRICE, Shop, entry};

static SELL: Action = Action::new("things.sell", "thing", &["to"]);

#[tokio::test]
async fn an_entry_tells_who_did_what_to_what_and_for_which_request() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let caller = callers::owner(tenant);
    let carried = Carried {
        request_id: RequestId::parse("req-1"),
        caller: Some(caller.clone()),
        deadline: None,
    };
    let id = carry(carried, shop.price(tenant, 7)).await;

    let all = shop.all(tenant).await;
    let [row] = &all[..] else { panic!("{all:?}") };
    assert_eq!(row.id, id.as_uuid());
    let told = row.to_json();
    assert_eq!(
        told["actor"],
        json!({"kind": "person", "id": caller.subject, "role": "owner"})
    );
    assert_eq!(told["target"], json!({"kind": "thing", "id": "thing-1"}));
    assert_eq!(
        (&told["action"], &told["outcome"]),
        (&json!("things.price"), &json!("done"))
    );
    assert_eq!(
        (&told["before"], &told["after"]),
        (&json!({"price": 6}), &json!({"price": 7}))
    );
    assert_eq!(told["request_id"], "req-1");
}

#[tokio::test]
async fn what_a_service_does_by_itself_is_told_in_its_name() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    shop.price(tenant, 1).await;
    let row = shop.all(tenant).await.remove(0);
    assert_eq!(
        (row.actor_kind.as_str(), row.actor_role.as_deref()),
        ("service", Some("shop"))
    );
    assert_eq!(row.actor, None);
}

#[tokio::test]
async fn an_entry_of_a_change_that_is_rolled_back_does_not_exist() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let tx = shop.own().begin(tenant);
    record(&tx, &shop.clock, entry(1)).await.unwrap();
    drop(tx);
    shop.price(tenant, 2).await;
    assert_eq!(shop.all(tenant).await.len(), 1);
    assert_eq!(shop.chainer().chain_due().await.unwrap(), 1);
}

#[tokio::test]
async fn a_tenant_sees_its_own_entries_and_the_platform_those_of_nobody_else() {
    let shop = Shop::open().await;
    let (ours, theirs) = (callers::tenant(), callers::tenant());
    shop.price(ours, 1).await;
    shop.price(theirs, 2).await;
    let tx = shop.own().begin_platform();
    record(&tx, &shop.clock, entry(3).by(Actor::Operator))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for (scope, price) in [(Scope::from(ours), 1), (theirs.into(), 2), (Scope::Platform, 3)] {
        let all = shop.all(scope).await;
        assert_eq!(all.len(), 1, "{scope:?}");
        assert_eq!(all[0].to_json()["after"], json!({"price": price}));
    }
}

#[tokio::test]
async fn entries_are_found_by_who_what_when_and_to_what_page_by_page() {
    let mut shop = Shop::open().await;
    let (clock, hand) = plaza_kernel::Clock::manual(shop.clock.now());
    shop.clock = clock;
    let tenant = callers::tenant();
    let (anna, bert) = (callers::member(tenant), callers::member(tenant));
    let middle = {
        let mut middle = None;
        for number in 0..6 {
            let caller = if number % 2 == 0 { &anna } else { &bert };
            let tx = shop.own().begin(tenant);
            let entry = match number {
                0 => Entry::of(&SELL, "thing-2").after(json!({"to": "x"})),
                _ => Entry::of(&PRICE, format!("thing-{}", number % 3)),
            };
            record(&tx, &shop.clock, entry.by(caller)).await.unwrap();
            tx.commit().await.unwrap();
            if number == 2 {
                // Ids are as exact as a millisecond.
                hand.advance(chrono::TimeDelta::milliseconds(5));
                middle = Some(shop.clock.now());
            }
        }
        middle
    };
    let found = async |filter: AuditFilter| {
        let page = list(&shop.own(), tenant.into(), &filter, PageQuery::default())
            .await
            .unwrap();
        page.items.len()
    };
    let by = |who: UserId| AuditFilter {
        actor: Some(who),
        ..AuditFilter::default()
    };
    let of = |action: &str| AuditFilter {
        action: Some(action.to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(found(by(anna.subject)).await, 3);
    assert_eq!(found(of("things.sell")).await, 1);
    assert_eq!(found(of("things.")).await, 6);
    assert_eq!(found(of("thing")).await, 0);
    let target = AuditFilter {
        target: Some("thing-2".to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(found(target.clone()).await, 3);
    assert_eq!(
        found(AuditFilter {
            actor: Some(bert.subject),
            ..target
        })
        .await,
        1
    );
    assert_eq!(
        found(AuditFilter {
            from: middle,
            ..AuditFilter::default()
        })
        .await,
        3
    );
    assert_eq!(
        found(AuditFilter {
            to: middle,
            ..AuditFilter::default()
        })
        .await,
        3
    );

    let mut seen = Vec::new();
    let mut query = PageQuery {
        limit: plaza_kernel::Limit::new(4).unwrap(),
        cursor: None,
    };
    loop {
        let page = list(&shop.own(), tenant.into(), &AuditFilter::default(), query)
            .await
            .unwrap();
        seen.extend(page.items.iter().map(|row| row.id));
        let Some(next) = page.next_cursor else { break };
        query.cursor = Some(plaza_kernel::Cursor::parse(&next).unwrap());
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|one, next| one > next), "newest first");
}
