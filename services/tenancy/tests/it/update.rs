//! The names of a tenant are changed.

use http::StatusCode;
use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_kernel::TenantId;
use plaza_rpc::RpcError;
use plaza_testkit::callers;
use serde_json::json;

use crate::stage::{Stage, assert_alike, pointers, put_if};

fn path(tenant: TenantId) -> String {
    format!("/api/v1/admin/tenants/{tenant}")
}

async fn resolved(stage: &Stage, slug: &str) -> Option<String> {
    let slug = slug.to_owned();
    match stage.rpc().resolve(ResolveRequest { slug }).await {
        Ok(found) => Some(found.into_inner().tenant_id),
        Err(error) => {
            assert!(RpcError::from(error).is("TENANT_NOT_FOUND"));
            None
        }
    }
}

#[tokio::test]
async fn an_owner_changes_the_name_and_nothing_else() {
    let stage = Stage::open().await;
    let (mine, theirs) = (stage.tenant("acme").await, stage.tenant("rival").await);
    let owner = stage.mounted.as_caller(&callers::owner(mine));
    let renamed = owner
        .put(&path(mine), &json!({"name": " Acme AG "}))
        .await
        .assert_ok();
    assert_eq!(renamed.value()["name"], "Acme AG");
    assert_eq!(renamed.headers["etag"], "\"v2\"");
    let found = owner.get(&path(mine)).await.assert_ok();
    assert_eq!(found.value(), renamed.value());
    assert_eq!(found.headers["etag"], "\"v2\"");

    for body in [
        json!({"slug": "other"}),
        json!({"admin_email": "me@acme.example"}),
        json!({"name": "Other", "slug": "acme"}),
    ] {
        let reply = owner.put(&path(mine), &body).await;
        reply.assert_failed(StatusCode::FORBIDDEN, "PLATFORM_ONLY");
    }
    for body in [
        json!({"status": "active"}),
        json!({"id": theirs}),
        json!({"version": 7}),
    ] {
        let reply = owner.put(&path(mine), &body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    // Nothing was changed, and to nothing is no change.
    assert_eq!(owner.get(&path(mine)).await.value(), renamed.value());
    let same = owner
        .put(&path(mine), &json!({"name": "Acme AG"}))
        .await
        .assert_ok();
    assert_eq!(same.value(), renamed.value());
    assert_eq!(
        owner.put(&path(mine), &json!({})).await.assert_ok().value(),
        renamed.value()
    );

    let foreign = owner.put(&path(theirs), &json!({"slug": "other"})).await;
    let random = owner
        .put(&path(callers::tenant()), &json!({"slug": "other"}))
        .await;
    assert_alike(
        &foreign.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND"),
        &random,
    );
}

#[tokio::test]
async fn a_new_slug_is_taken_and_the_old_one_is_free() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant("acme").await, stage.tenant("rival").await);
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let taken = admin
        .put(&path(tenant), &json!({"slug": "rival", "name": "Other"}))
        .await;
    taken.assert_failed(StatusCode::CONFLICT, "SLUG_TAKEN");
    assert_eq!(resolved(&stage, "acme").await, Some(tenant.to_string()));

    let body = json!({"slug": "acme-2", "admin_email": "New@acme.example"});
    let changed = admin.put(&path(tenant), &body).await.assert_ok().value();
    assert_eq!(
        (&changed["slug"], &changed["admin_email"]),
        (&body["slug"], &body["admin_email"])
    );
    assert_eq!(changed["name"], "acme");
    assert_eq!(resolved(&stage, "acme").await, None);
    assert_eq!(resolved(&stage, "acme-2").await, Some(tenant.to_string()));
    assert_eq!(resolved(&stage, "rival").await, Some(rival.to_string()));
    let next = stage.tenant("acme").await;
    assert_eq!(resolved(&stage, "acme").await, Some(next.to_string()));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_fields() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let body = json!({"slug": "WWW", "name": " ", "admin_email": "nobody"});
    let reply = admin.put(&path(tenant), &body).await;
    let problem = reply
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_TENANT")
        .value();
    assert_eq!(pointers(&problem), ["/slug", "/name", "/admin_email"]);
    admin.delete(&path(tenant)).await.assert_ok();
    let late = admin.put(&path(tenant), &json!({"name": "Acme"})).await;
    late.assert_failed(StatusCode::CONFLICT, "TENANT_STATE");
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    put_if(&owner, &path(tenant), "\"v1\"", &json!({"name": "One"}))
        .await
        .assert_ok();
    for seen in ["\"v1\"", "\"v3\"", "W/\"v2\""] {
        let reply = put_if(&owner, &path(tenant), seen, &json!({"name": "Two"})).await;
        reply.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    }
    // Of many that saw the same, one wins.
    let (name, seen) = (|n: u32| json!({"name": format!("T{n}")}), "\"v2\"");
    let bodies = [name(1), name(2), name(3)];
    let target = path(tenant);
    let (one, two, three) = tokio::join!(
        put_if(&owner, &target, seen, &bodies[0]),
        put_if(&owner, &target, seen, &bodies[1]),
        put_if(&owner, &target, seen, &bodies[2]),
    );
    let mut statuses = [one, two, three].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
}
