//! What people do to roles and menus is in the tenant's audit.

use http::StatusCode;
use plaza_audit::{AuditFilter, list};
use plaza_contracts::services::ACCESS;
use plaza_kernel::{PageQuery, SystemRole, TenantId};
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::stage::Stage;

const ROLES: &str = "/api/v1/admin/roles";

/// What was done, oldest first.
async fn told(stage: &Stage, tenant: TenantId) -> Vec<Value> {
    let database = stage.database.of(ACCESS);
    let all = list(
        &database,
        tenant.into(),
        &AuditFilter::default(),
        PageQuery::default(),
    )
    .await;
    let items = all.unwrap().items;
    items.iter().rev().map(plaza_audit::AuditRow::to_json).collect()
}

#[tokio::test]
async fn what_is_done_to_a_role_is_told_with_what_it_was_before() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let body = json!({"name": "Sales", "permissions": ["logs.view"]});
    let made = owner.post(ROLES, &body).await.assert_status(StatusCode::CREATED);
    let role = made.value()["id"].as_str().unwrap().to_owned();
    let path = format!("{ROLES}/{role}");
    let given = json!({"user_id": member});
    // What changes nothing is told once: the second time there is nothing to tell.
    for _ in 0..2 {
        let reply = owner.post(&format!("{path}/assignments"), &given).await;
        reply.assert_status(StatusCode::NO_CONTENT);
    }
    for _ in 0..2 {
        let reply = owner.delete(&format!("{path}/assignments/{member}")).await;
        reply.assert_status(StatusCode::NO_CONTENT);
    }
    owner.delete(&path).await.assert_status(StatusCode::NO_CONTENT);
    // What fails is not told as done.
    owner
        .delete(&path)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");

    let all = told(&stage, tenant).await;
    let actions: Vec<&str> = all.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        ["roles.create", "roles.assign", "roles.unassign", "roles.delete"]
    );
    let sales = json!({"name": "Sales", "permissions": ["logs.view"]});
    assert_eq!((&all[0]["before"], &all[0]["after"]), (&Value::Null, &sales));
    assert_eq!(all[1]["after"], given);
    assert_eq!((&all[3]["before"], &all[3]["after"]), (&sales, &Value::Null));
    assert!(
        all.iter()
            .all(|row| row["target"] == json!({"kind": "role", "id": role}))
    );
}
