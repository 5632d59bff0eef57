//! What people do is told in the transaction that does it: where the audit takes nothing, nothing is done.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::operations::documented;
use super::stage::Stage;
use crate::client::answer;
use crate::front::Topology;
use crate::superuser::Superuser;

const SCHEMAS: [&str; 5] = ["access", "broadcast", "identity", "notification", "tenancy"];

/// Operations that change nothing that is told, and why.
const UNTOLD: [(&str, &str); 9] = [
    ("refresh", "the session was told of when it began"),
    (
        "forgot_password",
        "anybody may ask, and nothing changes until the link is used",
    ),
    ("resend_verification", "the same"),
    ("estimate", "counts"),
    ("preview_campaign", "shows"),
    ("preview_template", "shows"),
    ("send_message", "the message is its own record"),
    ("reply_conversation", "the message is its own record"),
    ("read_conversation", "a mark for whoever answers next"),
];

/// Operations that have nothing to do here, and what they are answered.
const REFUSED: [(&str, u16); 12] = [
    ("assign_internal_role", 404),
    ("create_internal_user", 404),
    ("restore_tenant", 409),
    ("resume_tenant", 409),
    ("pause_campaign", 409),
    ("resume_campaign", 409),
    ("retry_failed", 409),
    ("cancel_import", 409),
    ("reset_password", 400),
    ("verify_email", 400),
    ("put_tenant_config", 428),
    ("put_tenant_config_namespace", 428),
];

/// Tables that say what there is, and not how far somebody is with it.
const NOT_THERE: [&str; 15] = [
    "audit",
    "audit_due",
    "audit_chain",
    "outbox",
    "inbox",
    "deliveries",
    "dead_letters",
    "leases",
    "waiting",
    "tries",
    "readings",
    "schedules",
    "sender_leases",
    "rate_state",
    "throttle",
];

pub(super) async fn or_not_done(topology: Topology) {
    let stage = Stage::open(topology).await;
    let superuser = stage.plaza.superuser().await;
    let (operations, _) = documented(&stage.plaza).await;
    let mut told = 0;
    for operation in operations.iter().filter(|operation| {
        operation.method != Method::GET && !["development", "signature"].contains(&operation.rule.as_str())
    }) {
        let who = match operation.rule.as_str() {
            "platform_admin" => "platform admin",
            _ => "owner",
        };
        let admin = &stage.actor("platform admin").api;
        match operation.id.as_str() {
            // It is on as long as nobody turns it off.
            "enable_menu" => {
                let menu = format!("/api/v1/admin/menus/logs?tenant_id={}", stage.spare);
                assert_eq!(admin.delete(&menu).await.status, 204);
            }
            "disable_menu" => {
                let menu = json!({"tenant_id": stage.spare, "menu": "logs"});
                admin.post("/api/v1/admin/menus", menu).await.ok();
            }
            _ => {}
        }
        let request = stage.prepared(operation, stage.actor(who)).await;
        let before = at_rest(&superuser).await;
        set_full(&superuser, true).await;
        let reply = answer(request).await;
        let after = fingerprints(&superuser).await;
        set_full(&superuser, false).await;

        let (id, status) = (operation.id.as_str(), reply.status.as_u16());
        if let Some((_, expected)) = REFUSED.iter().find(|(refused, _)| *refused == id) {
            assert_eq!(status, *expected, "{id}: {}", reply.text());
        } else if UNTOLD.iter().any(|(untold, _)| *untold == id) {
            assert!(reply.status.is_success(), "{id}: {status} {}", reply.text());
            continue;
        } else {
            assert!(
                reply.status.is_server_error(),
                "{id} is done and not told: {status} {}",
                reply.text()
            );
            told += 1;
        }
        let changed: Vec<_> = after
            .iter()
            .filter(|(table, rows)| before[*table] != **rows)
            .collect();
        assert!(changed.is_empty(), "{id} is not told and has changed {changed:?}");
    }
    assert!(told > 35, "{told}");
}

/// From now on no audit takes an entry; or all take them again.
async fn set_full(superuser: &Superuser, full: bool) {
    for schema in SCHEMAS {
        let change = match full {
            true => "ADD CONSTRAINT full_up CHECK (false) NOT VALID",
            false => "DROP CONSTRAINT full_up",
        };
        superuser
            .rows(&format!("ALTER TABLE {schema}.audit {change}"), &[])
            .await;
    }
}

/// The fingerprints once what was begun has come to its end.
async fn at_rest(superuser: &Superuser) -> BTreeMap<String, String> {
    let mut before = fingerprints(superuser).await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = fingerprints(superuser).await;
        if now == before {
            return now;
        }
        before = now;
    }
    panic!("nothing comes to rest: {before:?}");
}

async fn fingerprints(superuser: &Superuser) -> BTreeMap<String, String> {
    let tables = "SELECT format('%I.%I', n.nspname, c.relname)
                    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY ($1) AND c.relname <> ALL ($2) ORDER BY 1";
    let tables = superuser.rows(tables, &[&&SCHEMAS[..], &&NOT_THERE[..]]).await;
    let each: Vec<String> = tables
        .iter()
        .map(|row| row.get::<_, String>(0))
        .map(|table| {
            format!(
                "SELECT '{table}', concat(count(*), ' ', md5(string_agg(t::text, E'\\n' ORDER BY t::text))) FROM {table} t"
            )
        })
        .collect();
    let rows = superuser.rows(&each.join(" UNION ALL "), &[]).await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
