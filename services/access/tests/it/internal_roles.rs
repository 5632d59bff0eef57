//! Another service gives a role: on the internal listener only, and never by a name that a tenant may choose.

use axum::body::Body;
use http::StatusCode;
use plaza_access::Template;
use plaza_kernel::{Caller, PermissionSet, UserId};
use plaza_testkit::{Client, Reply, callers};
use plaza_web::InternalListener;
use serde_json::{Value, json};

use crate::stage::Stage;

const PATH: &str = "/api/v1/auth/internal/roles";

/// As the internal listener passes it on.
async fn from_inside(client: &Client, body: &Value) -> Reply {
    let request = http::Request::post(PATH)
        .header("content-type", "application/json")
        .extension(InternalListener)
        .body(Body::from(body.to_string()));
    client.send(request.unwrap()).await
}

#[tokio::test]
async fn a_default_role_or_one_of_the_tenants_own_is_given() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let user = UserId::generate(&stage.clock);
    let service = stage.mounted.anonymous();
    let body = |role: &str| json!({"tenant_id": tenant, "user_id": user, "role": role});
    for _ in 0..2 {
        from_inside(&service, &body("editor"))
            .await
            .assert_status(StatusCode::NO_CONTENT);
    }
    assert_eq!(stage.grants(tenant, user).await.1, Template::Editor.permissions());

    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let own = json!({"name": "Sales", "permissions": ["users.view"]});
    let own = owner.post("/api/v1/admin/roles", &own).await.value();
    let (before, held) = stage.grants(tenant, user).await;
    assert!(!held.contains(0));
    from_inside(&service, &body(own["id"].as_str().unwrap()))
        .await
        .assert_ok();
    let (after, held) = stage.grants(tenant, user).await;
    assert!(after > before && held.contains(0));
}

#[tokio::test]
async fn a_role_is_meant_by_what_it_is_and_never_by_its_name() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let user = UserId::generate(&stage.clock);
    let service = stage.mounted.anonymous();
    let owner = stage.mounted.as_caller(&callers::owner(rival));
    let theirs = owner
        .post(
            "/api/v1/admin/roles",
            &json!({"name": "Sales", "permissions": ["users.view"]}),
        )
        .await
        .value();
    for role in [
        "Sales",
        "Administrator",
        "ADMINISTRATOR",
        "Platform Admin",
        "owner",
        "",
        theirs["id"].as_str().unwrap(),
        &callers::tenant().to_string(),
    ] {
        let body = json!({"tenant_id": tenant, "user_id": user, "role": role});
        let reply = from_inside(&service, &body).await;
        reply.assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");
    }
    assert_eq!(stage.grants(tenant, user).await.1, PermissionSet::none());
    // A tenant that has no roles yet gets none by this, nor any other row.
    let nobody = callers::tenant();
    let body = json!({"tenant_id": nobody, "user_id": user, "role": "viewer"});
    let reply = from_inside(&service, &body).await;
    reply.assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");
    assert_eq!(stage.grants(nobody, user).await, (0, PermissionSet::none()));
}

#[tokio::test]
async fn without_a_tenant_there_is_no_role() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let user = json!(UserId::generate(&stage.clock));
    let nil = json!("00000000-0000-0000-0000-000000000000");
    for tenant_id in [json!(""), nil, Value::Null, json!("acme")] {
        let body = json!({"tenant_id": tenant_id, "user_id": user, "role": "viewer"});
        let reply = from_inside(&stage.mounted.anonymous(), &body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    let more = json!({"tenant_id": tenant, "user_id": user, "role": "viewer", "scope": "platform"});
    let reply = from_inside(&stage.mounted.anonymous(), &more).await;
    reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
}

#[tokio::test]
async fn from_outside_there_is_nothing_at_this_address() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let user = UserId::generate(&stage.clock);
    let body = json!({"tenant_id": tenant, "user_id": user, "role": "administrator"});
    let people: [Caller; 3] = [
        callers::owner(tenant),
        callers::member(tenant),
        callers::platform_admin(),
    ];
    for person in &people {
        let client = stage.mounted.as_caller(person);
        let outside = client.post(PATH, &body).await;
        outside.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
        // A person's request is none of the inside, whoever passes it on.
        let inside = from_inside(&client, &body).await;
        inside.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
    }
    let nobody = stage.mounted.anonymous().post(PATH, &body).await;
    nobody.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
    assert_eq!(stage.grants(tenant, user).await.1, PermissionSet::none());
}
