//! Changes of a tenant's users.

use http::{Method, Request, StatusCode, header};
use plaza_kernel::{Caller, Clock, TenantId, UserId};
use plaza_testkit::{Mounted, Permit, Reply, callers};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens};

const ADA: &str = "ada@example.org";

pub(crate) fn path(user: UserId) -> String {
    format!("/api/v1/auth/users/{user}")
}

/// An active member of a tenant, asked in by its owner.
pub(crate) async fn member(house: &House, owner: &Caller, slug: &str, email: &str) -> Caller {
    let client = house.mounted.as_caller(owner);
    let invite = client.post("/api/v1/auth/users", &json!({"email": email})).await;
    let token = invite.assert_ok().value()["token"].as_str().unwrap().to_owned();
    house.set_up(&token, email, PASSWORD).await.assert_ok();
    Tokens::of(house.log_in_at(slug, email).await).caller()
}

struct Stage {
    house: House,
    acme: TenantId,
    /// The owner.
    ada: Caller,
    /// A member.
    ben: Caller,
}

async fn stage() -> Stage {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", ADA).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    let ben = member(&house, &ada, "acme", "ben@example.org").await;
    Stage {
        house,
        acme,
        ada,
        ben,
    }
}

impl Stage {
    async fn put(&self, who: &Caller, whom: UserId, body: Value) -> Reply {
        self.house.mounted.as_caller(who).put(&path(whom), &body).await
    }
}

#[tokio::test]
async fn an_owner_changes_a_member() {
    let stage = stage().await;
    let ben = stage.ben.subject;
    let reply = stage
        .put(&stage.ada, ben, json!({"name": "Ben"}))
        .await
        .assert_ok();
    assert_eq!(reply.headers[header::ETAG], "\"v2\"");
    let user = reply.value();
    assert_eq!(
        (&user["name"], &user["status"], &user["role"], &user["version"]),
        (&json!("Ben"), &json!("active"), &json!("member"), &json!(2))
    );
    let client = stage.house.mounted.as_caller(&stage.ada);
    let shown = client.get(&path(ben)).await.assert_ok();
    assert_eq!(
        (&shown.value(), &shown.headers[header::ETAG]),
        (&user, &reply.headers[header::ETAG])
    );
    assert!(stage.house.stands(&stage.ben).await);
    // What is not said stays.
    let user = stage.put(&stage.ada, ben, json!({})).await.assert_ok().value();
    assert_eq!(user["name"], "Ben");
}

#[tokio::test]
async fn who_is_disabled_is_out_at_once_and_comes_back_anew() {
    let stage = stage().await;
    let (house, ben) = (&stage.house, &stage.ben);
    let out = json!({"status": "disabled"});
    stage.put(&stage.ada, ben.subject, out).await.assert_ok();
    assert!(!house.stands(ben).await);
    house
        .log_in_at("acme", "ben@example.org")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    let back = json!({"status": "active"});
    stage.put(&stage.ada, ben.subject, back).await.assert_ok();
    assert!(!house.stands(ben).await, "the session does not come back");
    Tokens::of(house.log_in_at("acme", "ben@example.org").await);
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let stage = stage().await;
    let put_if = async |tag: &str| {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(path(stage.ben.subject))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::IF_MATCH, tag)
            .body(axum::body::Body::from(r#"{"name":"Ben"}"#))
            .unwrap();
        stage.house.mounted.as_caller(&stage.ada).send(request).await
    };
    put_if("\"v1\"").await.assert_ok();
    for stale in ["\"v1\"", "\"v3\"", "\"rubbish\""] {
        put_if(stale)
            .await
            .assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    }
    put_if("v2")
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "MALFORMED_IF_MATCH");
    put_if("\"v2\"").await.assert_ok();
}

#[tokio::test]
async fn members_with_the_permission_touch_no_owner_and_make_none() {
    let stage = stage().await;
    // Whoever may update users, as a role grants it.
    let (ada, ben) = (stage.ada.subject, stage.ben.subject);
    let cleo = member(&stage.house, &stage.ada, "acme", "cleo@example.org").await;
    for change in [json!({"role": "owner"}), json!({"role": "owner", "name": "Cleo"})] {
        let reply = stage.put(&stage.ben, cleo.subject, change).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "OWNER_ONLY");
    }
    for change in [
        json!({"name": "A"}),
        json!({"status": "disabled"}),
        json!({"role": "member"}),
    ] {
        let reply = stage.put(&stage.ben, ada, change).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "OWNER_ONLY");
    }
    for change in [json!({"role": "owner"}), json!({"status": "disabled"})] {
        let reply = stage.put(&stage.ben, ben, change).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "NOT_YOURSELF");
    }
    stage
        .put(&stage.ben, ben, json!({"name": "Ben"}))
        .await
        .assert_ok();
    stage
        .put(&stage.ben, cleo.subject, json!({"status": "disabled"}))
        .await
        .assert_ok();
    // Without the permission nothing at all.
    let powerless = Mounted::new(stage.house.identity.http(Permit::none()));
    powerless
        .as_caller(&stage.ben)
        .put(&path(cleo.subject), &json!({"name": "C"}))
        .await
        .assert_status(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn roles_are_a_closed_list_and_names_of_power_are_none() {
    let stage = stage().await;
    for body in [
        json!({"role": "platform_admin"}),
        json!({"role": "Platform Admin"}),
        json!({"role": "OWNER"}),
        json!({"role": "service"}),
        json!({"status": "invited"}),
        json!({"status": "active", "tenant_id": callers::tenant()}),
        json!({"email": "root@example.org"}),
        json!({"email_verified": true}),
        json!({"version": 7}),
        json!({"password": PASSWORD}),
    ] {
        let reply = stage.put(&stage.ada, stage.ben.subject, body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    let named = json!({"name": "Platform Admin"});
    let user = stage
        .put(&stage.ada, stage.ben.subject, named)
        .await
        .assert_ok()
        .value();
    // A name, and no more.
    assert_eq!(user["role"], "member");
}

#[tokio::test]
async fn two_owners_who_demote_or_remove_each_other_at_once_leave_one() {
    for verb in ["demote", "disable", "remove"] {
        let stage = stage().await;
        let (ada, ben) = (&stage.ada, &stage.ben);
        stage
            .put(ada, ben.subject, json!({"role": "owner"}))
            .await
            .assert_ok();
        let mut ben = ben.clone();
        ben.role = plaza_kernel::SystemRole::Owner;
        let act = async |who: &Caller, whom: UserId| {
            let client = stage.house.mounted.as_caller(who);
            match verb {
                "demote" => client.put(&path(whom), &json!({"role": "member"})).await,
                "disable" => client.put(&path(whom), &json!({"status": "disabled"})).await,
                _ => client.delete(&path(whom)).await,
            }
        };
        let (one, two) = tokio::join!(act(ada, ben.subject), act(&ben, ada.subject));
        let worked = [&one, &two]
            .iter()
            .filter(|reply| reply.status.is_success())
            .count();
        assert_eq!(worked, 1, "{verb}: {one}{two}");
        let refused = if one.status.is_success() { two } else { one };
        refused.assert_failed(StatusCode::FORBIDDEN, "OWNER_ONLY");
        let owners = "SELECT count(*) FROM identity.memberships WHERE role = 'owner' AND status = 'active'";
        assert_eq!(stage.house.count(owners).await, 1, "{verb}");
    }
}

#[tokio::test]
async fn a_demoted_owner_is_a_member_from_then_on() {
    let stage = stage().await;
    let (ada, ben) = (&stage.ada, stage.ben.subject);
    stage.put(ada, ben, json!({"role": "owner"})).await.assert_ok();
    let owner = Tokens::of(stage.house.log_in_at("acme", "ben@example.org").await).caller();
    assert_eq!(owner.role, plaza_kernel::SystemRole::Owner);
    stage
        .put(&owner, ada.subject, json!({"role": "member"}))
        .await
        .assert_ok();
    // Ada's token still says what she was.
    let reply = stage.put(ada, ben, json!({"role": "member"})).await;
    reply.assert_failed(StatusCode::FORBIDDEN, "OWNER_ONLY");
}

#[tokio::test]
async fn who_has_not_come_yet_is_not_let_in_by_a_change() {
    let stage = stage().await;
    let client = stage.house.mounted.as_caller(&stage.ada);
    let invited = client
        .post("/api/v1/auth/users", &json!({"email": "dora@example.org"}))
        .await
        .assert_ok()
        .value();
    let dora: UserId = invited["user_id"].as_str().unwrap().parse().unwrap();
    for change in [
        json!({"status": "active"}),
        json!({"status": "disabled"}),
        json!({"role": "owner"}),
    ] {
        let reply = stage.put(&stage.ada, dora, change).await;
        reply.assert_failed(StatusCode::CONFLICT, "USER_INVITED");
    }
    let user = stage
        .put(&stage.ada, dora, json!({"name": "Dora"}))
        .await
        .assert_ok();
    assert_eq!(user.value()["status"], "invited");
}

#[tokio::test]
async fn users_of_another_tenant_do_not_exist() {
    let stage = stage().await;
    stage.house.tenant_with_owner("rival", "bob@example.org").await;
    let bob = Tokens::of(stage.house.log_in("bob@example.org").await).caller();
    let without_id = |reply: Reply| {
        let mut body = reply
            .assert_failed(StatusCode::NOT_FOUND, "USER_NOT_FOUND")
            .value();
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let foreign = stage.put(&bob, stage.ben.subject, json!({"name": "x"})).await;
    let nobody = UserId::generate(&Clock::system());
    let random = stage.put(&bob, nobody, json!({"name": "x"})).await;
    assert_eq!(without_id(foreign), without_id(random));
    let named = "SELECT count(*) FROM identity.memberships WHERE name = 'x'";
    assert_eq!(stage.house.count(named).await, 0);
    let root = callers::platform_admin();
    let reply = stage.put(&root, stage.ben.subject, json!({"name": "x"})).await;
    reply.assert_status(StatusCode::FORBIDDEN);
    assert_eq!(stage.ben.tenant(), Some(stage.acme));
}

#[tokio::test]
async fn who_becomes_an_owner_or_is_one_no_more_is_told_of() {
    let stage = stage().await;
    let (ada, ben) = (&stage.ada, stage.ben.subject);
    for change in [
        json!({"role": "owner"}),
        json!({"role": "owner", "name": "Ben"}),
        json!({"name": "B."}),
        json!({"role": "member"}),
    ] {
        stage.put(ada, ben, change).await.assert_ok();
    }
    let said = stage.house.said().await;
    let told: Vec<&Value> = said
        .iter()
        .filter(|(name, _)| name == "identity.member.role_changed")
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(
        told,
        [
            &json!({"user_id": ben, "role": "owner"}),
            &json!({"user_id": ben, "role": "member"})
        ]
    );
}
