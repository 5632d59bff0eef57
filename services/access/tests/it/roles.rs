use http::StatusCode;
use plaza_kernel::{Caller, SystemRole, TenantId, UserId};
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::stage::Stage;

const ROLES: &str = "/api/v1/admin/roles";

fn as_member(tenant: TenantId, user: UserId) -> Caller {
    Caller {
        subject: user,
        ..callers::member(tenant)
    }
}

async fn role_id(stage: &Stage, tenant: TenantId, name: &str) -> String {
    let page = stage
        .mounted
        .as_caller(&callers::owner(tenant))
        .get(ROLES)
        .await
        .assert_ok()
        .value();
    let roles = page["items"].as_array().unwrap();
    roles.iter().find(|role| role["name"] == name).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_role_of_ones_own_is_made_given_taken_and_removed() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let body = json!({"name": "Sales", "permissions": ["logs.view", "campaigns.send"]});
    let role = owner
        .post(ROLES, &body)
        .await
        .assert_status(StatusCode::CREATED)
        .value();
    assert_eq!(role["permissions"], json!(["campaigns.send", "logs.view"]));

    let (before, _) = stage.grants(tenant, member).await;
    let assignments = format!("{ROLES}/{}/assignments", role["id"].as_str().unwrap());
    owner
        .post(&assignments, &json!({"user_id": member}))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    let (after, held) = stage.grants(tenant, member).await;
    assert!(after > before, "a grant raises the version");
    assert!(held.contains(22) && held.contains(13));

    owner
        .delete(&format!("{assignments}/{member}"))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert!(!stage.grants(tenant, member).await.1.contains(22));
    let path = format!("{ROLES}/{}", role["id"].as_str().unwrap());
    owner.delete(&path).await.assert_status(StatusCode::NO_CONTENT);
    owner
        .delete(&path)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");
}

#[tokio::test]
async fn nobody_grants_more_than_they_hold_nor_anything_to_themselves() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let (member, other) = (
        stage.member(tenant, SystemRole::Member).await,
        stage.member(tenant, SystemRole::Member).await,
    );
    let client = stage.mounted.as_caller(&as_member(tenant, member));
    let body = json!({"name": "More", "permissions": ["senders.manage"]});
    client
        .post(ROLES, &body)
        .await
        .assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");

    let admin = role_id(&stage, tenant, "Administrator").await;
    let give = format!("{ROLES}/{admin}/assignments");
    let reply = client.post(&give, &json!({"user_id": other})).await;
    reply.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
    let viewer = role_id(&stage, tenant, "Viewer").await;
    let reply = client
        .post(
            &format!("{ROLES}/{viewer}/assignments"),
            &json!({"user_id": member}),
        )
        .await;
    reply.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
}

#[tokio::test]
async fn names_and_permissions_that_cannot_be_are_refused() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let reply = owner
        .post(
            ROLES,
            &json!({"name": "Platform Admin", "permissions": ["no.such"]}),
        )
        .await;
    let problem = reply
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_ROLE")
        .value();
    let codes: Vec<&Value> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["code"])
        .collect();
    assert_eq!(codes, ["RESERVED", "UNKNOWN_PERMISSION"]);
    let taken = owner
        .post(ROLES, &json!({"name": " viewer ", "permissions": []}))
        .await;
    taken.assert_failed(StatusCode::CONFLICT, "ROLE_NAME_TAKEN");
}

#[tokio::test]
async fn default_roles_stay() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let viewer = role_id(&stage, tenant, "Viewer").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    owner
        .delete(&format!("{ROLES}/{viewer}"))
        .await
        .assert_failed(StatusCode::CONFLICT, "DEFAULT_ROLE");
}

#[tokio::test]
async fn another_tenants_role_looks_like_none() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let theirs = role_id(&stage, rival, "Viewer").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let user = json!({"user_id": UserId::generate(&stage.clock)});
    for id in [theirs, callers::tenant().to_string()] {
        let path = format!("{ROLES}/{id}");
        owner
            .delete(&path)
            .await
            .assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");
        let give = owner.post(&format!("{path}/assignments"), &user).await;
        give.assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");
    }
    let version: i64 = stage
        .database
        .admin()
        .await
        .query_one(
            "SELECT version FROM access.versions WHERE tenant_id = $1",
            &[&rival.as_uuid()],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(version, 1, "the other tenant's grants are as they were");
}

#[tokio::test]
async fn nobody_removes_a_role_that_grants_more_than_they_hold() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let clerk = stage.member(tenant, SystemRole::Member).await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let make = async |name: &str, permissions: &[&str]| {
        let body = json!({"name": name, "permissions": permissions});
        let role = owner.post(ROLES, &body).await.assert_status(StatusCode::CREATED);
        format!("{ROLES}/{}", role.value()["id"].as_str().unwrap())
    };
    let clerks = make("Clerks", &["roles.view", "roles.delete"]).await;
    let (less, more) = (
        make("Less", &["roles.view"]).await,
        make("More", &["roles.view", "senders.manage"]).await,
    );
    owner
        .post(&format!("{clerks}/assignments"), &json!({"user_id": clerk}))
        .await
        .assert_ok();
    let client = stage.mounted.as_caller(&as_member(tenant, clerk));
    let refused = client.delete(&more).await;
    refused.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
    client.delete(&less).await.assert_status(StatusCode::NO_CONTENT);
    owner.get(&more).await.assert_ok();
    owner.delete(&more).await.assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_role_that_was_changed_meanwhile_is_not_removed() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let body = json!({"name": "Sales", "permissions": ["logs.view"]});
    let role = owner.post(ROLES, &body).await.assert_ok().value();
    let path = format!("{ROLES}/{}", role["id"].as_str().unwrap());
    owner.put(&path, &json!({"name": "Sales 2"})).await.assert_ok();
    let delete_if = async |tag: &str| {
        let request = http::Request::delete(&path).header("if-match", tag);
        owner.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    delete_if("\"v1\"")
        .await
        .assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    delete_if("\"v2\"").await.assert_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn roles_and_who_has_them_are_read_by_the_numbers_of_their_pages_too() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    for path in [ROLES, "/api/v1/auth/roles"] {
        let page = async |query: &str| -> Vec<String> {
            let page = owner
                .get(&format!("{path}?limit=2&{query}"))
                .await
                .assert_ok()
                .value();
            let items = page["items"].as_array().unwrap().iter();
            items
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(page("page=1").await, ["Administrator", "Editor"]);
        assert_eq!(page("page=2").await, ["Viewer"]);
        assert_eq!(page("page=3").await, [""; 0]);
    }
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(stage.member(tenant, SystemRole::Member).await.to_string());
    }
    members.sort();
    let viewer = role_id(&stage, tenant, "Viewer").await;
    let page = async |number: u32| -> Vec<String> {
        let path = format!("{ROLES}/{viewer}/assignments?limit=2&page={number}");
        let page = owner.get(&path).await.assert_ok().value();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["user_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(page(1).await, members[..2]);
    assert_eq!(page(2).await, members[2..]);
    assert_eq!(page(3).await, [""; 0]);
}
