//! A tenant is suspended, resumed, to be deleted, and restored.

use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use plaza_contracts::proto::tenancy::GetRequest;
use plaza_kernel::TenantId;
use plaza_testkit::{Reply, callers};
use serde_json::{Value, json};

use crate::stage::Stage;

fn path(tenant: TenantId) -> String {
    format!("/api/v1/admin/tenants/{tenant}")
}

async fn step(stage: &Stage, tenant: TenantId, step: &str) -> Reply {
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    match step {
        "delete" => admin.delete(&path(tenant)).await,
        step => admin.post(&format!("{}/{step}", path(tenant)), &json!({})).await,
    }
}

/// What gateway and identity are told.
async fn status(stage: &Stage, tenant: TenantId) -> String {
    let tenant_id = tenant.to_string();
    let mut rpc = stage.rpc();
    rpc.get(GetRequest { tenant_id })
        .await
        .unwrap()
        .into_inner()
        .status
}

#[tokio::test]
async fn every_step_is_a_state_a_version_and_an_event() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    stage.activate(tenant).await;
    let mut deleted_at = stage.time.now();
    for (name, state, answered) in [
        ("suspend", "suspended", StatusCode::OK),
        ("resume", "active", StatusCode::OK),
        ("delete", "deleting", StatusCode::ACCEPTED),
        ("restore", "active", StatusCode::OK),
    ] {
        stage.time.advance(TimeDelta::seconds(1));
        if name == "delete" {
            deleted_at = stage.time.now();
        }
        let before = stage
            .mounted
            .as_caller(&callers::owner(tenant))
            .get(&path(tenant))
            .await;
        let reply = step(&stage, tenant, name).await.assert_status(answered);
        let (before, after) = (before.value(), reply.value());
        assert_eq!(after["status"], state, "{name}");
        assert_eq!(status(&stage, tenant).await, state, "{name}");
        assert_eq!(after["version"], json!(before["version"].as_i64().unwrap() + 1));
        assert_eq!(reply.headers["etag"], format!("\"v{}\"", after["version"]));
        assert_eq!(after["delete_after"].is_string(), state == "deleting", "{name}");
    }
    let told: Vec<Value> = stage.events("tenancy.tenant.state_changed").await;
    let steps = |event: &Value| [event["from"].clone(), event["to"].clone()];
    assert_eq!(
        told.iter().map(steps).collect::<Vec<_>>(),
        [
            ["active", "suspended"],
            ["suspended", "active"],
            ["active", "deleting"],
            ["deleting", "active"]
        ]
    );
    let expected = json!({
        "tenant_id": tenant, "from": "active", "to": "deleting", "at": deleted_at,
        "delete_after": deleted_at + TimeDelta::days(30),
    });
    assert_eq!(told[2], expected);
}

#[tokio::test]
async fn a_later_state_is_told_as_later_whatever_the_clock_says() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    stage.activate(tenant).await;
    for name in ["suspend", "resume", "suspend"] {
        step(&stage, tenant, name).await.assert_ok();
        // Another process, whose clock is behind, takes the next step.
        stage.time.advance(TimeDelta::seconds(-2));
    }
    let told = stage.events("tenancy.tenant.state_changed").await;
    let at: Vec<DateTime<Utc>> = told
        .iter()
        .map(|event| event["at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(at.len(), 3);
    assert!(at.is_sorted_by(|earlier, later| earlier < later), "{at:?}");
}

#[tokio::test]
async fn what_cannot_become_of_a_tenant_leaves_it_as_it_was() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    stage.activate(tenant).await;
    let refused = async |names: &[&str]| {
        for name in names {
            let reply = step(&stage, tenant, name).await;
            reply.assert_failed(StatusCode::CONFLICT, "TENANT_STATE");
        }
    };
    refused(&["resume", "restore"]).await;
    step(&stage, tenant, "suspend").await.assert_ok();
    refused(&["suspend", "restore"]).await;
    step(&stage, tenant, "delete").await.assert_ok();
    refused(&["delete", "suspend", "resume"]).await;
    assert_eq!(stage.events("tenancy.tenant.state_changed").await.len(), 2);
    for name in ["suspend", "resume", "delete", "restore"] {
        let nobody = step(&stage, callers::tenant(), name).await;
        nobody.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    }
}

#[tokio::test]
async fn of_two_at_once_one_suspends() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    for round in 0..10 {
        let (one, other) = tokio::join!(step(&stage, tenant, "suspend"), step(&stage, tenant, "suspend"));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}");
        step(&stage, tenant, "resume").await.assert_ok();
    }
    assert_eq!(stage.events("tenancy.tenant.state_changed").await.len(), 20);
}

#[tokio::test]
async fn an_owner_who_comes_while_the_tenant_is_suspended_is_not_forgotten() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    step(&stage, tenant, "suspend").await.assert_ok();
    step(&stage, tenant, "delete").await.assert_ok();
    stage.activate(tenant).await;
    assert_eq!(status(&stage, tenant).await, "deleting");
    step(&stage, tenant, "restore").await.assert_ok();
    assert_eq!(status(&stage, tenant).await, "suspended");
    step(&stage, tenant, "resume").await.assert_ok();
    assert_eq!(status(&stage, tenant).await, "active");
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_gone_and_changes_nothing() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let dry = format!("{}?dry_run=true", path(tenant));
    let reply = admin.delete(&dry).await.assert_status(StatusCode::OK);
    let expected = json!({
        "slug": "acme", "delete_after": stage.time.now() + chrono::TimeDelta::days(30),
        "users": 3, "campaigns": 2, "messages": 42, "more": false,
    });
    assert_eq!(reply.value(), expected);
    assert_eq!(status(&stage, tenant).await, "provisioning");
    assert_eq!(stage.events("tenancy.tenant.state_changed").await.len(), 0);
    let nobody = admin
        .delete(&format!("{}?dry_run=true", path(callers::tenant())))
        .await;
    nobody.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    let misspelt = admin.delete(&format!("{}?dryrun=true", path(tenant))).await;
    misspelt.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    assert_eq!(status(&stage, tenant).await, "provisioning");
    admin.delete(&path(tenant)).await.assert_ok();
    let again = admin.delete(&dry).await;
    again.assert_failed(StatusCode::CONFLICT, "TENANT_STATE");
}

#[tokio::test]
async fn owners_do_not_decide_about_the_life_of_their_tenant() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    for name in ["suspend", "resume", "restore"] {
        let reply = owner.post(&format!("{}/{name}", path(tenant)), &json!({})).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    for query in ["", "?dry_run=true"] {
        let reply = owner.delete(&format!("{}{query}", path(tenant))).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    assert_eq!(status(&stage, tenant).await, "provisioning");
}
