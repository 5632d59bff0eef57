//! What is done to a tenant is in its own audit, and tells neither addresses nor secrets.

use http::StatusCode;
use plaza_audit::{AuditFilter, list};
use plaza_contracts::services::TENANCY;
use plaza_kernel::{PageQuery, TenantId};
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::stage::Stage;

/// What was done, oldest first.
async fn told(stage: &Stage, tenant: TenantId) -> Vec<Value> {
    let database = stage.database.of(TENANCY);
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
async fn what_is_done_to_a_tenant_is_told_without_addresses_and_secrets() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    stage.activate(tenant).await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let path = format!("/api/v1/admin/tenants/{tenant}");
    admin
        .post(&format!("{path}/suspend"), &json!({}))
        .await
        .assert_ok();
    let secret = json!({"value": "CANARY of a secret"});
    let put = admin
        .put(&format!("{path}/secrets/messaging/token"), &secret)
        .await;
    put.assert_status(StatusCode::NO_CONTENT);

    let all = told(&stage, tenant).await;
    let actions: Vec<&str> = all.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["tenants.create", "tenants.state", "secrets.put"]);
    assert_eq!(
        all[0]["after"],
        json!({"slug": "acme", "name": "acme", "status": "provisioning"})
    );
    assert_eq!(all[1]["after"]["status"], "suspended");
    assert_eq!(
        all[2]["target"],
        json!({"kind": "secret", "id": "messaging/token"})
    );
    let text = Value::from(all).to_string();
    assert!(!text.contains("owner@") && !text.contains("CANARY"), "{text}");
}
