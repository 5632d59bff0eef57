//! What a tenant configures: namespaces with a schema each, in versions.

use http::StatusCode;
use plaza_kernel::TenantId;
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::stage::{Stage, assert_alike, pointers, put_if};

fn config(tenant: TenantId) -> String {
    format!("/api/v1/admin/tenants/{tenant}/config")
}

fn part(tenant: TenantId, namespace: &str) -> String {
    format!("{}/{namespace}", config(tenant))
}

#[tokio::test]
async fn at_first_every_namespace_is_there_and_says_nothing() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let reply = owner.get(&config(tenant)).await.assert_ok();
    let nothing = json!({"version": 0, "document": {}});
    assert_eq!(
        reply.value(),
        json!({"version": 0, "namespaces": {"branding": nothing, "messaging": nothing}})
    );
    assert_eq!(reply.headers["etag"], "\"v0\"");
    let reply = owner.get(&part(tenant, "branding")).await.assert_ok();
    assert_eq!(
        (reply.value(), &reply.headers["etag"]),
        (nothing, &"\"v0\"".parse().unwrap())
    );
    for path in [part(tenant, "security"), part(tenant, "Branding")] {
        let unknown = owner.get(&path).await;
        unknown.assert_failed(StatusCode::NOT_FOUND, "NAMESPACE_NOT_FOUND");
        let unknown = put_if(&owner, &path, "\"v0\"", &json!({})).await;
        unknown.assert_failed(StatusCode::NOT_FOUND, "NAMESPACE_NOT_FOUND");
    }
}

#[tokio::test]
async fn several_namespaces_change_together_with_an_event_for_each() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let body = json!({
        "branding": {"display_name": "Acme", "color": null},
        "messaging": {"messages_per_second": 20, "quiet_hours": {"from": "21:00", "to": "08:00"}},
    });
    let reply = put_if(&owner, &config(tenant), "\"v0\"", &body).await.assert_ok();
    assert_eq!(reply.headers["etag"], "\"v1\"");
    let after = reply.value();
    // Only what was said is kept.
    assert_eq!(
        after["namespaces"]["branding"]["document"],
        json!({"display_name": "Acme"})
    );
    assert_eq!(after["namespaces"]["messaging"]["document"], body["messaging"]);
    assert_eq!(owner.get(&config(tenant)).await.assert_ok().value(), after);

    let told = stage.events("tenancy.config.changed").await;
    let event = |namespace: &str, document: &Value| json!({"tenant_id": tenant, "namespace": namespace, "version": 1, "document": document});
    assert_eq!(
        told,
        [
            event("branding", &json!({"display_name": "Acme"})),
            event("messaging", &body["messaging"])
        ]
    );
    let who = "SELECT count(*) FROM tenancy.configuration WHERE updated_by IS NOT NULL AND version = 1";
    assert_eq!(stage.count(who).await, 2);

    // What is left out stays, and saying the same again is no change.
    let branding = json!({"branding": {"display_name": "Acme AG"}, "messaging": body["messaging"]});
    let reply = put_if(&owner, &config(tenant), "\"v1\"", &branding)
        .await
        .assert_ok();
    assert_eq!(reply.headers["etag"], "\"v2\"");
    let namespaces = &reply.value()["namespaces"];
    assert_eq!(
        (
            &namespaces["branding"]["version"],
            &namespaces["messaging"]["version"]
        ),
        (&json!(2), &json!(1))
    );
    assert_eq!(stage.events("tenancy.config.changed").await.len(), 3);
    let reply = put_if(&owner, &config(tenant), "\"v2\"", &json!({}))
        .await
        .assert_ok();
    assert_eq!(reply.headers["etag"], "\"v2\"");
}

#[tokio::test]
async fn one_namespace_has_a_version_of_its_own_and_moves_that_of_the_whole() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    for (seen, color) in [("\"v0\"", "#111111"), ("\"v1\"", "#222222")] {
        put_if(&admin, &part(tenant, "branding"), seen, &json!({"color": color}))
            .await
            .assert_ok();
    }
    // Nobody said anything about messaging yet: whoever begins saw nothing.
    let rate = json!({"messages_per_second": 5});
    let stale = put_if(&admin, &part(tenant, "messaging"), "\"v2\"", &rate).await;
    stale.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    let reply = put_if(&admin, &part(tenant, "messaging"), "\"v0\"", &rate)
        .await
        .assert_ok();
    assert_eq!(
        (reply.headers["etag"].to_str().unwrap(), &reply.value()["version"]),
        ("\"v3\"", &json!(3))
    );
    let whole = admin.get(&config(tenant)).await.assert_ok();
    assert_eq!(whole.headers["etag"], "\"v3\"");
    // A change of one part that the other's editor did not see is seen by the whole's.
    put_if(&admin, &part(tenant, "branding"), "\"v2\"", &json!({}))
        .await
        .assert_ok();
    let stale = put_if(&admin, &config(tenant), "\"v3\"", &json!({"messaging": {}})).await;
    stale.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
}

#[tokio::test]
async fn who_saw_nothing_changes_nothing() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    for path in [config(tenant), part(tenant, "branding")] {
        let blind = owner.put(&path, &json!({})).await;
        blind.assert_failed(StatusCode::PRECONDITION_REQUIRED, "IF_MATCH_REQUIRED");
        let any = put_if(&owner, &path, "*", &json!({})).await;
        any.assert_failed(StatusCode::PRECONDITION_REQUIRED, "IF_MATCH_REQUIRED");
    }
    // Of many that saw the same, one wins, also of the first ones.
    let path = part(tenant, "branding");
    let bodies = ["One", "Two", "Three"].map(|name| json!({"display_name": name}));
    let (one, two, three) = tokio::join!(
        put_if(&owner, &path, "\"v0\"", &bodies[0]),
        put_if(&owner, &path, "\"v0\"", &bodies[1]),
        put_if(&owner, &path, "\"v0\"", &bodies[2]),
    );
    let mut statuses = [one, two, three].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
    assert_eq!(stage.events("tenancy.config.changed").await.len(), 1);
}

#[tokio::test]
async fn one_wrong_value_keeps_all_of_it_out() {
    let stage = Stage::open().await;
    let tenant = stage.tenant("acme").await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let body = json!({
        "branding": {"display_name": "Acme", "support_url": "javascript:alert(1)"},
        "messaging": {"quiet_hours": {"from": "25:00", "to": "08:00", "zone": "Mars/Olympus"}},
    });
    let refused = put_if(&owner, &config(tenant), "\"v0\"", &body).await;
    let problem = refused
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_CONFIG")
        .value();
    let expected = [
        "/branding/support_url",
        "/messaging/quiet_hours/from",
        "/messaging/quiet_hours/zone",
    ];
    assert_eq!(pointers(&problem), expected);
    let refused = put_if(&owner, &part(tenant, "messaging"), "\"v0\"", &body["messaging"]).await;
    let problem = refused
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_CONFIG")
        .value();
    assert_eq!(pointers(&problem), ["/quiet_hours/from", "/quiet_hours/zone"]);

    for (path, body, at) in [
        (config(tenant), json!({"secrets": {"token": "x"}}), "/secrets"),
        (
            config(tenant),
            json!({"branding": {"owner": "me"}}),
            "/branding/owner",
        ),
        (part(tenant, "branding"), json!({"colour": "#111111"}), "/colour"),
        (
            part(tenant, "messaging"),
            json!({"messages_per_second": "9"}),
            "/messages_per_second",
        ),
        (
            part(tenant, "messaging"),
            json!({"messages_per_second": -1}),
            "/messages_per_second",
        ),
    ] {
        let refused = put_if(&owner, &path, "\"v0\"", &body).await;
        let problem = refused
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY")
            .value();
        assert_eq!(pointers(&problem), [at]);
    }
    let nul = put_if(
        &owner,
        &part(tenant, "branding"),
        "\"v0\"",
        &json!({"display_name": "a\u{0}b"}),
    )
    .await;
    nul.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    let reply = owner.get(&config(tenant)).await.assert_ok();
    assert_eq!(reply.headers["etag"], "\"v0\"");
    assert_eq!(stage.events("tenancy.config.changed").await.len(), 0);
}

#[tokio::test]
async fn another_tenants_configuration_looks_like_none() {
    let stage = Stage::open().await;
    let (mine, theirs) = (stage.tenant("acme").await, stage.tenant("rival").await);
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let branding = json!({"display_name": "Rival"});
    put_if(&admin, &part(theirs, "branding"), "\"v0\"", &branding)
        .await
        .assert_ok();
    let owner = stage.mounted.as_caller(&callers::owner(mine));
    let nobody = callers::tenant();
    for (foreign, random) in [
        (config(theirs), config(nobody)),
        (part(theirs, "branding"), part(nobody, "branding")),
        (part(theirs, "no-such"), part(nobody, "no-such")),
    ] {
        let reply = owner.get(&foreign).await;
        assert_alike(
            &reply.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND"),
            &owner.get(&random).await,
        );
        for seen in ["\"v1\"", "\"v0\""] {
            let reply = put_if(&owner, &foreign, seen, &json!({})).await;
            assert_alike(
                &reply.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND"),
                &put_if(&owner, &random, seen, &json!({})).await,
            );
        }
    }
    let member = stage.mounted.as_caller(&callers::member(mine));
    let reply = member.get(&config(mine)).await;
    reply.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
    let unknown = admin.get(&config(nobody)).await;
    unknown.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    assert_eq!(
        owner.get(&config(mine)).await.assert_ok().headers["etag"],
        "\"v0\""
    );
}
