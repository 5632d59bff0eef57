//! Sessions over HTTP: one's own, and those of a tenant's users.

use chrono::TimeDelta;
use http::{Request, StatusCode};
use plaza_contracts::edge::HostTenant;
use plaza_kernel::{Caller, Clock, SessionId};
use plaza_testkit::{Mounted, Permit, callers};
use serde_json::{Value, json};

use crate::house::{House, Tokens};
use crate::user_update::member;

const ADA: &str = "ada@example.org";
const MINE: &str = "/api/v1/auth/me/sessions";

#[tokio::test]
async fn people_see_their_sessions_and_end_them() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    let here = Tokens::of(house.log_in(ADA).await).caller();
    let there = Tokens::of(house.log_in(ADA).await).caller();
    let bob = Tokens::of(house.log_in("bob@example.org").await).caller();
    let ada = house.mounted.as_caller(&here);
    let list = async || -> Vec<(String, bool)> {
        let page = ada.get(MINE).await.assert_ok().value();
        let view = |one: &Value| {
            (
                one["id"].as_str().unwrap().to_owned(),
                one["current"].as_bool().unwrap(),
            )
        };
        page["items"].as_array().unwrap().iter().map(view).collect()
    };
    assert_eq!(
        list().await,
        [
            (here.session.to_string(), true),
            (there.session.to_string(), false)
        ]
    );
    let end = |session: SessionId| {
        let ada = ada.clone();
        async move { ada.delete(&format!("{MINE}/{session}")).await }
    };
    for foreign in [bob.session, SessionId::generate(&Clock::system())] {
        end(foreign)
            .await
            .assert_failed(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
    }
    for _ in 0..2 {
        end(there.session).await.assert_status(StatusCode::NO_CONTENT);
    }
    assert!(house.stands(&bob).await && house.stands(&here).await && !house.stands(&there).await);
    assert_eq!(list().await.len(), 1);
    ada.get(&format!("{MINE}?limit=0"))
        .await
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    house
        .mounted
        .anonymous()
        .get(MINE)
        .await
        .assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn logging_out_everywhere_is_everywhere() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    house.tenant("rival", ADA).await;
    house.tenant_with_owner("other", "bob@example.org").await;
    let bob = Tokens::of(house.log_in("bob@example.org").await);
    let mine = [
        Tokens::of(house.log_in_at("acme", ADA).await),
        Tokens::of(house.log_in_at("rival", ADA).await),
    ];
    house
        .mounted
        .as_caller(&mine[0].caller())
        .post("/api/v1/auth/logout-all", &json!({}))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    for ended in &mine {
        assert!(!house.stands(&ended.caller()).await);
        house
            .refresh(&ended.refresh)
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    }
    assert!(house.stands(&bob.caller()).await);
    Tokens::of(house.log_in_at("acme", ADA).await);
}

#[tokio::test]
async fn a_tenant_ends_its_own_sessions_of_a_user_and_no_others() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", ADA).await;
    house.tenant("rival", ADA).await;
    let (first, second) = (
        Tokens::of(house.log_in_at("acme", ADA).await).caller(),
        Tokens::of(house.log_in_at("acme", ADA).await).caller(),
    );
    let elsewhere = Tokens::of(house.log_in_at("rival", ADA).await).caller();
    let path = format!("/api/v1/auth/users/{}/logout", first.subject);
    let powerless = Mounted::new(house.identity.http(Permit::none()));
    powerless
        .as_caller(&callers::member(acme))
        .post(&path, &json!({}))
        .await
        .assert_status(StatusCode::FORBIDDEN);
    // Of a tenant that she does not belong to.
    house
        .mounted
        .as_caller(&callers::owner(callers::tenant()))
        .post(&path, &json!({}))
        .await
        .assert_failed(StatusCode::NOT_FOUND, "USER_NOT_FOUND");
    assert!(house.stands(&first).await);
    house
        .mounted
        .as_caller(&first)
        .post(&path, &json!({}))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert!(!house.stands(&first).await && !house.stands(&second).await);
    assert!(house.stands(&elsewhere).await);
}

#[tokio::test]
async fn only_owners_end_the_sessions_of_owners() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    // Whoever may update users, as a role grants it.
    let ben = member(&house, &ada, "acme", "ben@example.org").await;
    let end = async |who: &Caller, whom: &Caller| {
        let path = format!("/api/v1/auth/users/{}/logout", whom.subject);
        house.mounted.as_caller(who).post(&path, &json!({})).await
    };
    end(&ben, &ada)
        .await
        .assert_failed(StatusCode::FORBIDDEN, "OWNER_ONLY");
    assert!(house.stands(&ada).await);
    end(&ada, &ben).await.assert_status(StatusCode::NO_CONTENT);
    assert!(!house.stands(&ben).await);
    end(&ada, &ada).await.assert_status(StatusCode::NO_CONTENT);
    assert!(!house.stands(&ada).await);
}

#[tokio::test]
async fn sessions_are_read_by_the_numbers_of_their_pages_too() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(Tokens::of(house.log_in(ADA).await).caller());
        house.time.advance(TimeDelta::seconds(1));
    }
    let ids: Vec<String> = mine.iter().map(|caller| caller.session.to_string()).collect();
    let page = async |number: u32| -> Vec<String> {
        let path = format!("{MINE}?limit=2&page={number}");
        let page = house
            .mounted
            .as_caller(&mine[0])
            .get(&path)
            .await
            .assert_ok()
            .value();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(page(1).await, ids[..2]);
    assert_eq!(page(2).await, ids[2..]);
    assert_eq!(page(3).await, [""; 0]);
}

#[tokio::test]
async fn a_refresh_token_is_good_on_its_own_tenants_host_only() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", ADA).await;
    let rival = house.tenant_with_owner("rival", "bob@example.org").await;
    let tokens = Tokens::of(house.log_in(ADA).await);
    let refresh_at = async |tenant_id, slug: &str| {
        let request = Request::post("/api/v1/auth/refresh")
            .header("content-type", "application/json")
            .extension(HostTenant {
                tenant_id,
                slug: slug.to_owned(),
            })
            .body(axum::body::Body::from(
                json!({"refresh_token": tokens.refresh}).to_string(),
            ))
            .unwrap();
        house.mounted.anonymous().send(request).await
    };
    refresh_at(rival, "rival")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    Tokens::of(refresh_at(acme, "acme").await);
}
