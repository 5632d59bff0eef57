//! Callers whose time is over: everything about them was right, once.

use std::time::Duration;

use plaza_testkit::eventually;

use super::operations::documented;
use crate::client::{Api, answer};
use crate::forge::Town;
use crate::front::{Front, Topology};
use crate::story;

const ME: &str = "/api/v1/auth/me";
/// A UUID that is nobody's.
const NOBODY: &str = "018f0000-0000-7000-8000-000000000000";

/// For every operation that needs a caller each of them is nobody.
pub(super) async fn are_strangers_everywhere(topology: Topology) {
    let mut town = Town::open(topology).await;
    let ended = callers(&town).await;
    let (operations, _) = documented(&town.plaza).await;
    let mut asked = 0;
    for operation in &operations {
        if ["anyone", "signature", "internal", "development"].contains(&operation.rule.as_str()) {
            continue;
        }
        let ids = vec![NOBODY.to_owned(); operation.path.matches('{').count()];
        for (name, api) in &ended {
            let refused = answer(api.request(operation.method.clone(), &operation.at(&ids))).await;
            assert_eq!(
                refused.status,
                401,
                "{name}, {}: {}",
                operation.id,
                refused.text()
            );
            asked += 1;
        }
    }
    assert!(asked >= 4 * 40, "only {asked} were asked for");
    town.plaza.stop().await;
}

async fn callers(town: &Town) -> Vec<(&'static str, Api)> {
    let (plaza, owner) = (&town.plaza, &town.acme.owner);
    let mut claims = town.claims();
    let good = plaza
        .api()
        .with_token(&town.forge.sign(&town.forge.header(), &claims));
    good.get(ME).await.ok();
    claims["iat"] = (claims["iat"].as_i64().unwrap() - 700).into();
    claims["exp"] = (claims["exp"].as_i64().unwrap() - 700).into();
    let expired = plaza
        .api()
        .with_token(&town.forge.sign(&town.forge.header(), &claims));

    let logged_out = story::log_in(&plaza.api(), "owner@acme.example").await;
    logged_out.post_nothing("/api/v1/auth/logout").await.ok();

    let removed = story::member(owner, "ben@acme.example").await;
    let users = owner.all("/api/v1/auth/users").await;
    let user = users
        .iter()
        .find(|user| user["email"] == "ben@acme.example")
        .unwrap();
    let user = user["user_id"].as_str().or(user["id"].as_str()).unwrap();
    owner.delete(&format!("/api/v1/auth/users/{user}")).await.ok();

    let closed = story::tenant(&town.admin, "closed").await;
    let suspend = format!("/api/v1/admin/tenants/{}/suspend", closed.id);
    town.admin.post_nothing(&suspend).await.ok();

    let ended = vec![
        ("an expired token", expired),
        ("a session that was ended", logged_out),
        ("a member who was removed", removed),
        ("the owner of a suspended tenant", closed.owner),
    ];
    for (name, api) in &ended {
        // What the gateway remembers is a few seconds old.
        eventually(Duration::from_secs(30), || async {
            api.get(ME).await.status == 401
        })
        .await;
        println!("{name} is nobody now");
    }
    ended
}
