//! Who did what, in every service, and nobody takes it back unseen.

use std::time::Duration;

use plaza_testkit::eventually;
use serde_json::{Value, json};

use crate::client::Api;
use crate::front::{Front, Running, Topology};
use crate::plaza::{complaint, printed};
use crate::story::{self, Tenant};

const AUDIT: &str = "/api/v1/admin/audit";

#[tokio::test]
async fn what_people_do_is_in_the_audit_and_a_changed_row_is_found_in_one_process() {
    what_people_do_is_in_the_audit_and_a_changed_row_is_found(Topology::OneProcess).await;
}

#[tokio::test]
async fn what_people_do_is_in_the_audit_and_a_changed_row_is_found_in_pieces() {
    what_people_do_is_in_the_audit_and_a_changed_row_is_found(Topology::Pieces).await;
}

async fn what_people_do_is_in_the_audit_and_a_changed_row_is_found(topology: Topology) {
    let mut plaza = Running::start(topology).await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let template = story::template(&acme.owner).await;
    story::campaign(&acme.owner, "Spring", &template).await;
    let role = json!({"name": "Editor of texts", "permissions": ["templates.view"]});
    acme.owner.post("/api/v1/admin/roles", role).await.ok();
    what_was_done_is_one_list(&admin, &acme).await;

    let superuser = plaza.superuser().await;
    for (schema, action, actor) in [
        ("tenancy", "tenants.create", "platform_admin"),
        ("broadcast", "campaigns.create", "owner"),
        ("access", "roles.create", "owner"),
    ] {
        let sql = format!(
            "SELECT actor_role, request_id IS NOT NULL FROM {schema}.audit WHERE action = '{action}'"
        );
        let rows = superuser.rows(&sql, &[]).await;
        assert_eq!(rows.len(), 1, "{action}");
        assert_eq!(rows[0].get::<_, String>(0), actor, "{action}");
        assert!(rows[0].get::<_, bool>(1), "{action} tells no request");
    }
    let due = "SELECT (SELECT count(*) FROM tenancy.audit_due) + (SELECT count(*) FROM broadcast.audit_due)
                    + (SELECT count(*) FROM access.audit_due) + (SELECT count(*) FROM identity.audit_due)
                    + (SELECT count(*) FROM notification.audit_due)";
    eventually(Duration::from_secs(60), || async {
        superuser.number(due).await == 0
    })
    .await;
    let whole = printed(&plaza.run(&["audit", "verify"]).await);
    assert!(whole.contains(", 0 not chained yet, 0 wrong"), "{whole}");
    assert_eq!(checked(&acme.owner).await, (true, Vec::new()));

    let changed =
        "WITH changed AS (UPDATE access.audit SET after = '{}' WHERE action = 'roles.create' RETURNING 1)
                   SELECT count(*) FROM changed";
    assert_eq!(superuser.number(changed).await, 1);
    let entry = acme.owner.get(&format!("{AUDIT}?action=roles.create")).await.ok();
    let entry = entry["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        checked(&acme.owner).await,
        (false, vec![("access".to_owned(), entry)])
    );
    let found = plaza.run(&["audit", "verify"]).await;
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        told.contains("access\t") && told.contains("\tchanged\t"),
        "{told}"
    );
    assert!(complaint(&found).contains("not as they were written"));
    plaza.stop().await;
}

/// The audits of all services, as the tenant and whoever runs the platform read them.
async fn what_was_done_is_one_list(admin: &Api, acme: &Tenant) {
    // A member who may not is told of, and does not read.
    let low = story::member(&acme.owner, "low@acme.example").await;
    low.get(AUDIT).await.assert_failed(403, "FORBIDDEN");

    let told = acme.owner.all(AUDIT).await;
    let ids: Vec<&str> = told.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one > next), "newest first");
    let find = |action: &str| {
        let found = told.iter().find(|entry| entry["action"] == action);
        found.unwrap_or_else(|| panic!("{action} is not told: {told:#?}"))
    };
    for (service, action) in [
        ("tenancy", "tenants.create"),
        ("identity", "sessions.login"),
        ("access", "roles.create"),
        ("broadcast", "campaigns.create"),
    ] {
        assert_eq!(find(action)["service"], service, "{action}");
        assert_eq!(find(action)["tenant_id"], acme.id.as_str(), "{action}");
    }
    let refused = find("operations.use");
    assert_eq!(
        (
            &refused["outcome"],
            &refused["target"]["id"],
            &refused["after"]["code"]
        ),
        (
            &json!("denied"),
            &json!(format!("GET {AUDIT}")),
            &json!("FORBIDDEN")
        )
    );
    assert_eq!(refused["actor"]["role"], "member");

    // Who runs the platform sees the same, and is seen.
    let theirs = admin
        .get(&format!("{AUDIT}?tenant_id={}&limit=1", acme.id))
        .await
        .ok();
    let reading = &theirs["items"][0];
    assert_eq!(
        (&reading["action"], &reading["actor"]["role"]),
        (&json!("audit.read"), &json!("platform_admin"))
    );
    let platforms = admin.all(AUDIT).await;
    assert!(platforms.iter().all(|entry| entry.get("tenant_id").is_none()));
    assert!(
        platforms
            .iter()
            .any(|entry| entry["action"] == "administrators.create")
    );

    let export = acme.owner.get(&format!("{AUDIT}/export")).await;
    assert_eq!(export.status, 200, "{}", export.text());
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    let text = export.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["action"], &lines[1]["action"]),
        (&json!("audit.export"), &json!("audit.read"))
    );
    assert_eq!(lines[2..], told);
}

/// What a check of the tenant's chains says: whether they are whole, and where each is broken first.
async fn checked(owner: &Api) -> (bool, Vec<(String, String)>) {
    let checked = owner.get(&format!("{AUDIT}/verify")).await.ok();
    assert_eq!(checked.get("next"), None);
    let chains = checked["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 5);
    let broken = chains.iter().filter_map(|chain| {
        let entry = chain.get("broken")?["entry_id"].as_str().unwrap();
        Some((chain["service"].as_str().unwrap().to_owned(), entry.to_owned()))
    });
    (checked["whole"] == true, broken.collect())
}
