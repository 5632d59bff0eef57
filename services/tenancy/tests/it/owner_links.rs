use std::sync::atomic::Ordering;

use http::StatusCode;
use plaza_contracts::services::TENANCY;
use plaza_testkit::callers;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_link_leads_to_the_configured_origin_and_waits_for_the_owner() {
    let stage = Stage::open().await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let body = json!({"slug": "acme", "name": "Acme", "admin_email": "o@acme.example"});
    let id = admin.post("/api/v1/admin/tenants", &body).await.value()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/admin/tenants/{id}/owner-link");
    admin
        .post(&path, &json!({}))
        .await
        .assert_failed(StatusCode::CONFLICT, "OWNER_PENDING");

    stage.owners.store(true, Ordering::Relaxed);
    let link = admin
        .post(&path, &json!({}))
        .await
        .assert_status(StatusCode::CREATED)
        .value();
    assert_eq!(
        link["url"],
        format!("https://plaza.example/setup?token=token-of-{id}")
    );
    assert_eq!(link["expires_at"], "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn there_is_no_link_for_a_tenant_that_does_not_exist() {
    let stage = Stage::open().await;
    let path = format!("/api/v1/admin/tenants/{}/owner-link", callers::tenant());
    let reply = stage
        .mounted
        .as_caller(&callers::platform_admin())
        .post(&path, &json!({}))
        .await;
    reply.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn without_identity_the_answer_is_to_try_again() {
    let stage = Stage::open().await;
    let directory = plaza_rpc::Directory::new(plaza_rpc::RpcSettings::default());
    let config = plaza_tenancy::TenancyConfig {
        public_url: String::new(),
    };
    let clock = plaza_kernel::Clock::system();
    let database = stage.database.of(TENANCY);
    let alone = plaza_tenancy::Tenancy::new(config, database, &directory, clock, stage.keys.clone());
    let mounted = plaza_testkit::Mounted::new(alone.http(plaza_testkit::Permit::none()));
    let admin = mounted.as_caller(&callers::platform_admin());
    let body = json!({"slug": "acme", "name": "Acme", "admin_email": "o@acme.example"});
    let id = admin.post("/api/v1/admin/tenants", &body).await.value()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let reply = admin
        .post(&format!("/api/v1/admin/tenants/{id}/owner-link"), &json!({}))
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}
