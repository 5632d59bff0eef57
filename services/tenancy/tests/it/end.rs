//! What is left of a tenant whose days of grace are over.

use chrono::TimeDelta;
use http::StatusCode;
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest};
use plaza_contracts::services::TENANCY;
use plaza_kernel::TenantId;
use plaza_rpc::RpcError;
use plaza_schedule::{ScheduleSettings, Scheduler};
use plaza_testkit::callers;
use serde_json::json;

use crate::stage::{Stage, put_if};

fn path(tenant: TenantId) -> String {
    format!("/api/v1/admin/tenants/{tenant}")
}

/// The night comes, and all that is due is done.
async fn night(stage: &Stage) {
    assert_eq!(outcome_of_night(stage).await, "done");
}

async fn outcome_of_night(stage: &Stage) -> String {
    let scheduler = Scheduler::new(
        stage.database.of(TENANCY),
        stage.tenancy.schedules(),
        stage.clock.clone(),
        ScheduleSettings::default(),
    );
    scheduler.run_due().await.unwrap();
    // The schedule's time is the database's: the night comes when the row says that it has come.
    // A run that failed is tried again after a pause, which is over too.
    let now =
        "UPDATE tenancy.schedules SET next_at = now(), until = CASE WHEN until IS NOT NULL THEN now() END";
    stage.database.admin().await.execute(now, &[]).await.unwrap();
    scheduler.run_due().await.unwrap();
    let states = scheduler.state().await.unwrap();
    let ours = states
        .iter()
        .find(|state| state.name == "tenancy.end_tenants")
        .unwrap();
    ours.last_outcome.clone().unwrap()
}

#[tokio::test]
async fn after_its_days_of_grace_nobody_reaches_anything_of_a_tenant() {
    let stage = Stage::open().await;
    let (tenant, other) = (stage.tenant("acme").await, stage.tenant("rival").await);
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    for id in [tenant, other] {
        let branding = json!({"branding": {"display_name": "Acme"}});
        put_if(&admin, &format!("{}/config", path(id)), "\"v0\"", &branding)
            .await
            .assert_ok();
        let secret = format!("{}/secrets/messaging/token", path(id));
        admin
            .put(&secret, &json!({"value": "a secret"}))
            .await
            .assert_ok();
    }
    admin.delete(&path(tenant)).await.assert_ok();
    stage.time.advance(TimeDelta::days(29));
    night(&stage).await;
    let waiting = admin.get(&path(tenant)).await.assert_ok().value();
    assert_eq!(waiting["status"], "deleting");

    stage.time.advance(TimeDelta::days(1));
    night(&stage).await;
    for path in [
        path(tenant),
        format!("{}/config", path(tenant)),
        format!("{}/secrets", path(tenant)),
    ] {
        let gone = admin.get(&path).await;
        gone.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    }
    for step in ["restore", "suspend", "resume"] {
        let gone = admin.post(&format!("{}/{step}", path(tenant)), &json!({})).await;
        gone.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    }
    let list = admin.get("/api/v1/admin/tenants").await.assert_ok().value();
    let listed: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["slug"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ["rival"]);
    let tenant_id = tenant.to_string();
    let found = stage.rpc().get(GetRequest { tenant_id }).await;
    assert!(RpcError::from(found.unwrap_err()).is("TENANT_NOT_FOUND"));

    // Nothing of it that tenancy could forget is left; everything of the other one is.
    for table in ["tenancy.configuration", "tenancy.secrets", "tenancy.slugs"] {
        assert_eq!(
            stage.count(&format!("SELECT count(*) FROM {table}")).await,
            1,
            "{table}"
        );
    }
    let named = "SELECT count(*) FROM tenancy.tenants WHERE admin_email <> ''";
    assert_eq!(stage.count(named).await, 1);

    let told = stage.events("tenancy.tenant.deleted").await;
    assert_eq!(told, [json!({"tenant_id": tenant, "slug": "acme"})]);
    let changes = stage.events("tenancy.tenant.state_changed").await;
    let last = changes.last().unwrap();
    assert_eq!(
        (&last["from"], &last["to"]),
        (&json!("deleting"), &json!("deleted"))
    );
    assert!(last["delete_after"].is_null());

    // Its name is another one's now.
    let next = stage.tenant("acme").await;
    let slug = "acme".to_owned();
    let resolved = stage.rpc().resolve(ResolveRequest { slug }).await.unwrap();
    assert_eq!(resolved.into_inner().tenant_id, next.to_string());
    night(&stage).await;
    assert_eq!(stage.events("tenancy.tenant.deleted").await.len(), 1);
}

#[tokio::test]
async fn who_is_restored_in_time_stays() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    stage.activate(tenant).await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    admin.delete(&path(tenant)).await.assert_ok();
    stage.time.advance(TimeDelta::days(31));
    admin
        .post(&format!("{}/restore", path(tenant)), &json!({}))
        .await
        .assert_ok();
    night(&stage).await;
    let found = admin.get(&path(tenant)).await.assert_ok().value();
    assert_eq!(found["status"], "active");
    assert_eq!(stage.events("tenancy.tenant.deleted").await.len(), 0);
}

#[tokio::test]
async fn one_that_cannot_be_ended_keeps_none_of_the_others() {
    let stage = Stage::open().await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    // In the order in which they are ended: by id, which rises with time.
    for slug in ["first", "second", "third"] {
        let tenant = stage.tenant(slug).await;
        admin.delete(&path(tenant)).await.assert_ok();
        stage.time.advance(TimeDelta::seconds(1));
    }
    stage.time.advance(TimeDelta::days(31));
    let database = stage.database.admin().await;
    let broken =
        "ALTER TABLE tenancy.tenants ADD CONSTRAINT broken CHECK (slug <> 'first' OR status <> 'deleted')";
    database.batch_execute(broken).await.unwrap();
    assert_eq!(outcome_of_night(&stage).await, "failed");
    let left = "SELECT count(*) FROM tenancy.tenants WHERE status <> 'deleted'";
    assert_eq!(stage.count(left).await, 1);
    assert_eq!(stage.events("tenancy.tenant.deleted").await.len(), 2);

    let whole = "ALTER TABLE tenancy.tenants DROP CONSTRAINT broken";
    database.batch_execute(whole).await.unwrap();
    night(&stage).await;
    assert_eq!(stage.count(left).await, 0);
}

#[tokio::test]
async fn as_many_tenants_as_are_due_are_ended_in_one_night() {
    let stage = Stage::open().await;
    let admin = stage.database.admin().await;
    // More than are looked for at a time.
    admin
        .batch_execute(
            "INSERT INTO tenancy.tenants (tenant_id, slug, name, admin_email, status, delete_after, created_at, updated_at)
             SELECT gen_random_uuid(), 't' || n, 'T', 'o@t.example', 'deleting', now() - interval '1 day', now(), now()
               FROM generate_series(1, 230) n;
             INSERT INTO tenancy.slugs SELECT slug, tenant_id FROM tenancy.tenants",
        )
        .await
        .unwrap();
    night(&stage).await;
    assert_eq!(stage.count("SELECT count(*) FROM tenancy.slugs").await, 0);
    let left = "SELECT count(*) FROM tenancy.tenants WHERE status <> 'deleted' OR deleted_at IS NULL";
    assert_eq!(stage.count(left).await, 0);
    assert_eq!(stage.events("tenancy.tenant.deleted").await.len(), 230);
}
