//! Who did what in all services, for who may know.

use std::collections::BTreeSet;

use http::StatusCode;
use plaza_contracts::services::{ACCESS, BROADCAST, IDENTITY, NOTIFICATION, TENANCY};
use plaza_kernel::{Caller, Scope, SystemRole, TenantId};
use plaza_testkit::{Client, Mounted, Permit, callers};
use serde_json::{Value, json};

use crate::audits::OTHERS;
use crate::stage::Stage;

const AUDIT: &str = "/api/v1/admin/audit";

/// Everything behind an address, page by page.
async fn all(client: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{cursor}")).await.assert_ok().value();
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn ids(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect()
}

/// A tenant in whose audit every service has a few entries, made in turn.
async fn furnished(stage: &Stage) -> (TenantId, Caller, Vec<String>) {
    let tenant = callers::tenant();
    let owner = callers::owner(tenant);
    let mut made = Vec::new();
    for number in 0..4 {
        for service in OTHERS.into_iter().chain([ACCESS]) {
            let thing = format!("thing-{number}");
            made.push(stage.done(service, tenant, &owner, &thing).await.to_string());
        }
    }
    made.reverse();
    (tenant, owner, made)
}

#[tokio::test]
async fn the_audits_of_all_services_are_one_list_newest_first() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, made) = furnished(&stage).await;
    let client = stage.mounted.as_caller(&owner);
    for limit in [1, 3, 7, 20, 200] {
        let told = all(&client, &format!("{AUDIT}?limit={limit}")).await;
        assert_eq!(ids(&told), made, "pages of {limit}");
    }
    // For clients that count pages.
    for (number, expected) in [
        (1, &made[..7]),
        (3, &made[14..]),
        (4, &made[..0]),
        (40_000_000, &made[..0]),
    ] {
        let page = client
            .get(&format!("{AUDIT}?limit=7&page={number}"))
            .await
            .assert_ok()
            .value();
        assert_eq!(ids(page["items"].as_array().unwrap()), expected, "page {number}");
    }
    let told = all(&client, &format!("{AUDIT}?limit=50")).await;
    let services: BTreeSet<_> = told
        .iter()
        .map(|entry| entry["service"].as_str().unwrap())
        .collect();
    assert_eq!(services.len(), 5);
    let first = &told[0];
    assert_eq!(first["service"], "access");
    assert_eq!(first["tenant_id"], json!(tenant));
    assert_eq!(
        first["actor"],
        json!({"kind": "person", "id": owner.subject, "role": "owner"})
    );
    assert_eq!(first["target"], json!({"kind": "thing", "id": "thing-3"}));
    assert_eq!(
        (&first["action"], &first["outcome"], &first["after"]),
        (&json!("things.do"), &json!("done"), &json!({"name": "A thing"}))
    );
    assert_eq!(first.get("before"), None);
}

#[tokio::test]
async fn entries_are_found_by_who_what_when_and_to_what() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, made) = furnished(&stage).await;
    let other = callers::member(tenant);
    let theirs = stage.done(BROADCAST, tenant, &other, "thing-9").await.to_string();
    let client = stage.mounted.as_caller(&owner);
    let found = async |query: &str| {
        let told = all(&client, &format!("{AUDIT}?limit=200&{query}")).await;
        ids(&told).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        found(&format!("actor={}", other.subject)).await,
        [theirs.as_str()]
    );
    assert_eq!(found("target=thing-2").await.len(), 5);
    assert_eq!(found("action=things.do").await.len(), 21);
    assert_eq!(found("action=things.").await.len(), 21);
    assert_eq!(found("action=things").await.len(), 0);
    assert_eq!(
        found("from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z")
            .await
            .len(),
        0
    );
    assert_eq!(found("from=2020-01-01T00:00:00Z").await.len(), made.len() + 1);
    for wrong in [
        "actor=me",
        "from=yesterday",
        "to=1",
        "limit=0",
        "cursor=x",
        "tenant_id=acme",
    ] {
        let refused = client.get(&format!("{AUDIT}?{wrong}")).await;
        refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn a_tenant_reads_its_own_audit_and_nobody_elses() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, made) = furnished(&stage).await;
    let (rival, rivals_owner, _) = furnished(&stage).await;
    let (ours, theirs) = (
        stage.mounted.as_caller(&owner),
        stage.mounted.as_caller(&rivals_owner),
    );
    assert_eq!(
        ids(&all(&ours, &format!("{AUDIT}?tenant_id={tenant}")).await),
        made
    );
    let shown = all(&theirs, &format!("{AUDIT}?limit=200")).await;
    assert!(shown.iter().all(|entry| entry["tenant_id"] == json!(rival)));
    for path in ["", "/export", "/verify"] {
        for other in [tenant, callers::tenant()] {
            let refused = theirs.get(&format!("{AUDIT}{path}?tenant_id={other}")).await;
            refused.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn a_member_needs_the_permission() {
    let stage = Stage::with_audits().await;
    let (tenant, _, made) = furnished(&stage).await;
    let member = callers::member(tenant);
    let may = stage.mounted.as_caller(&member);
    assert_eq!(all(&may, &format!("{AUDIT}?limit=200")).await.len(), made.len());
    let bare = Mounted::new(stage.access.http(Permit::none()));
    for path in ["", "/export", "/verify"] {
        let refused = bare.as_caller(&member).get(&format!("{AUDIT}{path}")).await;
        refused.assert_failed(StatusCode::FORBIDDEN, "FORBIDDEN");
        let stranger = bare.anonymous().get(&format!("{AUDIT}{path}")).await;
        stranger.assert_failed(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn who_runs_the_platform_reads_a_tenants_audit_and_is_told_of_there() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, made) = furnished(&stage).await;
    stage.neighbours.know_tenant(tenant, "active");
    let admin = callers::platform_admin();
    stage.done(TENANCY, Scope::Platform, &admin, "setting").await;
    let client = stage.mounted.as_caller(&admin);

    // Without a tenant: the platform's own, where no tenant's entries are.
    let platforms = all(&client, &format!("{AUDIT}?limit=200")).await;
    assert_eq!(platforms.len(), 1);
    assert_eq!(
        (&platforms[0]["target"]["id"], platforms[0].get("tenant_id")),
        (&json!("setting"), None)
    );

    let shown = all(&client, &format!("{AUDIT}?tenant_id={tenant}&limit=200")).await;
    // Told before it is shown.
    let reading = &shown[0];
    assert_eq!(ids(&shown[1..]), made);
    assert_eq!(
        (&reading["action"], &reading["service"]),
        (&json!("audit.read"), &json!("access"))
    );
    assert_eq!(
        reading["actor"],
        json!({"kind": "person", "id": admin.subject, "role": "platform_admin"})
    );
    // The tenant sees who looked.
    let owners = all(&stage.mounted.as_caller(&owner), &format!("{AUDIT}?limit=200")).await;
    assert_eq!(owners[0], *reading);

    let nowhere = format!("{AUDIT}?tenant_id={}", callers::tenant());
    let missing = client.get(&nowhere).await;
    missing.assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn an_export_has_every_entry_on_a_line_of_its_own_and_is_told_of() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, mut made) = furnished(&stage).await;
    // More than two pages.
    for number in 0..420 {
        let service = OTHERS[number % 4];
        made.insert(0, stage.done(service, tenant, &owner, "many").await.to_string());
    }
    let reply = stage
        .mounted
        .as_caller(&owner)
        .get(&format!("{AUDIT}/export"))
        .await
        .assert_ok();
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    assert_eq!(
        reply.headers["content-disposition"],
        "attachment; filename=\"audit.ndjson\""
    );
    let text = reply.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["action"], "audit.export");
    assert_eq!(lines[0]["actor"]["id"], json!(owner.subject));
    assert_eq!(ids(&lines[1..]), made);
    let some = stage
        .mounted
        .as_caller(&owner)
        .get(&format!("{AUDIT}/export?target=thing-1"))
        .await;
    assert_eq!(some.assert_ok().text().lines().count(), 5);
}

#[tokio::test]
async fn an_audit_that_is_not_whole_is_not_shown_as_if_it_were() {
    let stage = Stage::with_audits().await;
    let (_, owner, _) = furnished(&stage).await;
    stage.directory.host(BROADCAST, tonic::service::Routes::default());
    let client = stage.mounted.as_caller(&owner);
    for path in ["", "/export", "/verify"] {
        let failed = client.get(&format!("{AUDIT}{path}")).await;
        assert!(failed.status.is_server_error(), "{path}: {}", failed.text());
    }
}

/// What a check says of each chain that is not whole.
async fn wrong(client: &Client) -> Vec<(String, Value)> {
    let checked = client.get(&format!("{AUDIT}/verify")).await.assert_ok().value();
    assert_eq!(checked.get("next"), None, "these chains are short");
    let chains = checked["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 5);
    let broken = chains
        .iter()
        .filter(|chain| chain["late"] != 0 || chain.get("broken").is_some());
    let broken: Vec<_> = broken
        .map(|chain| {
            let what = match chain.get("broken") {
                Some(broken) => broken.clone(),
                None => chain["first_late"].clone(),
            };
            (chain["service"].as_str().unwrap().to_owned(), what)
        })
        .collect();
    assert_eq!(checked["whole"], json!(broken.is_empty()));
    broken
}

#[tokio::test]
async fn a_changed_a_removed_and_an_inserted_row_are_found_and_the_first_one_is_named() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, _) = furnished(&stage).await;
    stage.chain().await;
    let client = stage.mounted.as_caller(&owner);
    assert_eq!(wrong(&client).await, []);

    let mut expected = Vec::new();
    for service in [IDENTITY, NOTIFICATION] {
        let at =
            format!("(SELECT entry FROM {service}.audit_chain WHERE tenant_id = '{tenant}' AND seq = 2)");
        let second = stage.database.admin().await;
        let second = second
            .query_one(&format!("SELECT {at}::text"), &[])
            .await
            .unwrap();
        let (sql, fault) = match service {
            IDENTITY => (
                format!("UPDATE identity.audit SET target = 'x' WHERE id = {at}"),
                "changed",
            ),
            _ => (
                format!("DELETE FROM notification.audit WHERE id = {at}"),
                "removed",
            ),
        };
        stage.tamper(&sql).await;
        let broken = json!({"seq": 2, "entry_id": second.get::<_, String>(0), "fault": fault});
        expected.push((service.as_str().to_owned(), broken));
        assert_eq!(wrong(&client).await, expected);
    }
    let inserted = "018f0000-0000-7000-8000-000000000001";
    stage
        .tamper(&format!(
            "INSERT INTO broadcast.audit (tenant_id, id, at, actor_kind, action, target_kind, outcome)
             VALUES ('{tenant}', '{inserted}', now() - interval '2 minutes', 'operator', 'things.do', 'thing', 'done')"
        ))
        .await;
    expected.push(("broadcast".to_owned(), json!(inserted)));
    assert_eq!(wrong(&client).await, expected);
    // Of another tenant's chains nothing is wrong.
    let (_, rival, _) = furnished(&stage).await;
    assert_eq!(wrong(&stage.mounted.as_caller(&rival)).await, []);
}

#[tokio::test]
async fn a_check_goes_on_where_it_was_left() {
    let stage = Stage::with_audits().await;
    let (tenant, owner, _) = furnished(&stage).await;
    stage.chain().await;
    let client = stage.mounted.as_caller(&owner);
    let after = |seq: i64| format!("{AUDIT}/verify?after=identity.{}.{seq}", "0".repeat(32));
    let checked = client.get(&after(2)).await.assert_ok().value();
    assert_eq!(checked["chains"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&checked["chains"][0]["entries"], &checked["whole"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(checked["chains"][0]["head"]["seq"], json!(4));
    stage
        .tamper(&format!(
            "UPDATE identity.audit SET target = 'x'
              WHERE id = (SELECT entry FROM identity.audit_chain WHERE tenant_id = '{tenant}' AND seq = 3)"
        ))
        .await;
    let checked = client.get(&after(2)).await.assert_ok().value();
    assert_eq!(checked["chains"][0]["broken"]["seq"], json!(3));
    let checked = client.get(&after(3)).await.assert_ok().value();
    assert_eq!(checked["whole"], json!(true), "what is before was checked before");
    let refused = client.get(&format!("{AUDIT}/verify?after=x")).await;
    refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
}

#[tokio::test]
async fn services_tell_their_audit_to_no_person() {
    use plaza_contracts::proto::audit::{ListAuditRequest, VerifyAuditRequest};
    use plaza_contracts::proto::identity::audit_client::AuditClient;

    let stage = Stage::with_audits().await;
    let (tenant, owner, _) = furnished(&stage).await;
    let mut audit = AuditClient::new(stage.directory.transport(IDENTITY));
    let list = ListAuditRequest {
        tenant_id: tenant.to_string(),
        ..ListAuditRequest::default()
    };
    let verify = VerifyAuditRequest {
        tenant_id: tenant.to_string(),
        from: None,
    };
    let member = stage.member(stage.tenant().await, SystemRole::Member).await;
    let stranger = Caller {
        subject: member,
        ..callers::member(callers::tenant())
    };
    for person in [&owner, &stranger, &callers::platform_admin()] {
        let refused = stage.for_person(person, audit.list(list.clone())).await;
        assert_eq!(crate::stage::code(refused), "FORBIDDEN");
        let refused = stage.for_person(person, audit.verify(verify.clone())).await;
        assert_eq!(crate::stage::code(refused), "FORBIDDEN");
    }
    let told = audit.list(list.clone()).await.unwrap().into_inner();
    assert_eq!(told.entries.len(), 4);
    let bad = ListAuditRequest {
        from: "yesterday".to_owned(),
        ..list
    };
    assert_eq!(crate::stage::code(audit.list(bad).await), "INVALID_TIME");
}
