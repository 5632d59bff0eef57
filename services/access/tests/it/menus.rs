//! Product areas are turned on and off by who runs the platform.

use http::StatusCode;
use plaza_kernel::{SystemRole, TenantId};
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::stage::Stage;

const MENUS: &str = "/api/v1/admin/menus";

fn off(menu: &str, tenant: TenantId) -> String {
    format!("{MENUS}/{menu}?tenant_id={tenant}")
}

async fn shown(stage: &Stage, tenant: TenantId) -> Vec<String> {
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let menus: Value = owner.get(MENUS).await.assert_ok().value();
    let items = menus["items"].as_array().unwrap().iter();
    items
        .map(|item| item["menu"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_roles_grant_counts_only_where_the_menu_is_on() {
    let stage = Stage::open().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    stage.neighbours.know_tenant(tenant, "active");
    let member = stage.member(tenant, SystemRole::Member).await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let (all, (before, viewer)) = (shown(&stage, tenant).await, stage.grants(tenant, member).await);
    assert!(viewer.contains(9) && viewer.contains(18));

    admin
        .delete(&off("campaigns", tenant))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    let (after, held) = stage.grants(tenant, member).await;
    assert!(after > before && !held.contains(9) && held.contains(18));
    assert!(!shown(&stage, tenant).await.contains(&"campaigns".to_owned()));
    assert_eq!(
        shown(&stage, other).await,
        all,
        "the other tenant's are as they were"
    );
    // Turning off what is off changes nothing.
    admin
        .delete(&off("campaigns", tenant))
        .await
        .assert_status(StatusCode::NO_CONTENT);
    assert_eq!(stage.grants(tenant, member).await, (after, held));

    let body = json!({"tenant_id": tenant, "menu": "campaigns"});
    let on = admin.post(MENUS, &body).await.assert_status(StatusCode::CREATED);
    assert_eq!(on.value(), json!({"menu": "campaigns"}));
    let (again, held) = stage.grants(tenant, member).await;
    assert_eq!(held, viewer);
    assert_eq!(shown(&stage, tenant).await, all, "at its old place");
    let on = admin.post(MENUS, &body).await.assert_status(StatusCode::OK);
    assert_eq!(on.value(), json!({"menu": "campaigns"}));
    assert_eq!(stage.grants(tenant, member).await, (again, viewer));
}

#[tokio::test]
async fn no_tenant_goes_without_users_and_roles_and_no_menu_is_made_up() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    stage.neighbours.know_tenant(tenant, "active");
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let before = shown(&stage, tenant).await;
    for menu in ["users", "roles"] {
        let reply = admin.delete(&off(menu, tenant)).await;
        reply.assert_failed(StatusCode::CONFLICT, "MENU_NEEDED");
    }
    let reply = admin.delete(&off("billing", tenant)).await;
    reply.assert_failed(StatusCode::NOT_FOUND, "MENU_NOT_FOUND");
    let reply = admin
        .post(MENUS, &json!({"tenant_id": tenant, "menu": "billing"}))
        .await;
    let problem = reply
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "UNKNOWN_MENU")
        .value();
    assert_eq!(problem["errors"][0]["pointer"], "/menu");
    assert_eq!(shown(&stage, tenant).await, before);
}

#[tokio::test]
async fn a_tenant_that_is_none_is_told_and_leaves_nothing() {
    let stage = Stage::open().await;
    let nobody = callers::tenant();
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let reply = admin
        .post(MENUS, &json!({"tenant_id": nobody, "menu": "logs"}))
        .await;
    reply.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    let reply = admin.delete(&off("logs", nobody)).await;
    reply.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    let nil = "00000000-0000-0000-0000-000000000000";
    for tenant in [json!(""), json!(nil), json!("acme"), Value::Null] {
        let reply = admin
            .post(MENUS, &json!({"tenant_id": tenant, "menu": "logs"}))
            .await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    for query in ["", "?tenant_id=", &format!("?tenant_id={nil}"), "?tenant_id=acme"] {
        let reply = admin.delete(&format!("{MENUS}/logs{query}")).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    }
    let rows = stage.database.admin().await;
    let versions = rows
        .query_one("SELECT count(*) FROM access.versions", &[])
        .await
        .unwrap();
    assert_eq!(versions.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn owners_do_not_choose_their_menus() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    stage.neighbours.know_tenant(tenant, "active");
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let reply = owner
        .post(MENUS, &json!({"tenant_id": tenant, "menu": "logs"}))
        .await;
    reply.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
    let reply = owner.delete(&off("logs", tenant)).await;
    reply.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
}
