//! Tenants that are made while Plaza is killed: whole, every one, or not there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use plaza_testkit::eventually;
use rand::Rng;
use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, Receipts, kills};
use crate::client::Api;
use crate::front::{Topology, WHOLE};
use crate::story;
use crate::superuser::Superuser;

/// Tenants that are asked for at the same time: so many that whoever is killed has something of theirs in hand.
const AT_ONCE: usize = 4;

/// Who takes part in it. (Broadcast has nothing to do with it.)
const WORKING: [&str; 7] = [
    WHOLE,
    "gateway",
    "tenancy",
    "identity",
    "access",
    "notification",
    "worker-notification",
];

/// What follows from a tenant's making, by schema; one number each.
const FOLLOWS: &[(&str, &str)] = &[
    (
        "active",
        "SELECT count(*) FROM tenancy.tenants WHERE status = 'active' AND tenant_id::text = $1",
    ),
    (
        "owners",
        "SELECT count(*) FROM identity.memberships WHERE role = 'owner' AND tenant_id::text = $1",
    ),
    (
        "members",
        "SELECT count(*) FROM identity.memberships WHERE tenant_id::text = $1",
    ),
    (
        "roles",
        "SELECT count(*) FROM access.roles WHERE tenant_id::text = $1",
    ),
    (
        "default roles",
        "SELECT count(DISTINCT template) FROM access.roles WHERE tenant_id::text = $1",
    ),
    (
        "roles given",
        "SELECT count(*) FROM access.assignments WHERE tenant_id::text = $1",
    ),
    (
        "grants",
        "SELECT count(*) FROM access.role_permissions WHERE tenant_id::text = $1",
    ),
    (
        "menus",
        "SELECT count(*) FROM access.menus WHERE tenant_id::text = $1",
    ),
    (
        "senders",
        "SELECT count(*) FROM notification.senders WHERE tenant_id::text = $1",
    ),
    (
        "accounts",
        "SELECT count(*) FROM notification.provider_accounts WHERE holder::text = $1",
    ),
    (
        "slugs",
        "SELECT count(*) FROM tenancy.slugs WHERE holder::text = $1",
    ),
];

#[tokio::test]
async fn a_tenant_that_was_answered_for_is_whole_whenever_plaza_is_killed() {
    tenants_are_whole(Topology::OneProcess, 5, 120).await;
}

/// Each of them twice; more often where more kills are asked for.
#[tokio::test]
async fn a_tenant_that_was_answered_for_is_whole_whichever_process_is_killed_in_pieces() {
    let rounds = kills().div_ceil(10);
    tenants_are_whole(Topology::Pieces, rounds * (WORKING.len() - 1), 250).await;
}

/// Kills as often, up to so many milliseconds after a request: until after everything that follows is done.
async fn tenants_are_whole(topology: Topology, kills: usize, latest: u64) {
    let begun = Instant::now();
    let mut bench = Bench::open(topology, Receipts::Arrive).await;
    bench.aim_at(&WORKING);
    let admin = story::administrator(&bench.plaza).await;
    let superuser = bench.plaza.superuser().await;
    let calm = story::tenant(&admin, "calm").await;
    let complete = |found: &Follows| {
        let once = ["owners", "members", "senders", "accounts", "slugs"];
        // What owners may do does not come from roles.
        let roles = (found["roles"], found["default roles"], found["roles given"]);
        once.iter().all(|name| found[name] == 1) && roles == (3, 3, 0)
    };
    eventually(PATIENCE, async || complete(&follows(&superuser, &calm.id).await)).await;
    let whole = follows(&superuser, &calm.id).await;
    let made = make(&mut bench, &admin, kills, latest).await;
    let superuser = bench.plaza.superuser().await;

    // What is still on its way to a consumer is before what follows from this one.
    consumed(&superuser).await;
    let last = story::tenant(&admin, "last").await;
    eventually(PATIENCE, async || follows(&superuser, &last.id).await == whole).await;
    consumed(&superuser).await;
    let all = superuser
        .rows("SELECT tenant_id::text, slug FROM tenancy.tenants", &[])
        .await;
    for row in &all {
        let (id, slug): (String, String) = (row.get(0), row.get(1));
        assert_eq!(follows(&superuser, &id).await, whole, "{slug} is not whole");
    }
    assert!(!made.is_empty(), "nothing was answered");
    for (place, (slug, id)) in made.iter().enumerate() {
        assert!(
            all.iter().any(|row| row.get::<_, String>(0) == *id),
            "{slug} was answered for and is gone"
        );
        // Passwords take their time: some of them.
        if place % AT_ONCE == 0 {
            owner_can_work(&admin, slug, id).await;
        }
    }
    eprintln!(
        "{} tenants, {} kills, {:.1} s",
        all.len(),
        bench.kills(),
        begun.elapsed().as_secs_f64()
    );
}

/// Makes tenants while Plaza is killed so many times; slug and id of those that were answered for.
async fn make(bench: &mut Bench, admin: &Api, kills: usize, latest: u64) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for round in 0..kills {
        let asked = (0..AT_ONCE).map(|number| ask(admin, format!("t{round}-{number}")));
        // From before the first request arrives until after everything that follows is done.
        let moment = Duration::from_micros(bench.dice.random_range(0..latest * 1_000));
        let late = async {
            tokio::time::sleep(moment).await;
            let name = bench.kill().await;
            bench.plaza.joined().await;
            eprintln!("{name} killed after {moment:?}");
        };
        let (answered, ()) = tokio::join!(join_all(asked), late);
        made.extend(answered.into_iter().flatten());
    }
    made
}

/// Asks for a tenant; nothing where nobody answered for it. Who gets no answer, or is told that it is not known whether
/// it happened, knows nothing: the tenant is whole or not there, and that is looked at too.
async fn ask(admin: &Api, slug: String) -> Option<(String, String)> {
    let body = json!({"slug": slug, "name": slug, "admin_email": format!("owner@{slug}.example")});
    let request = admin.request(Method::POST, "/api/v1/admin/tenants").json(&body);
    let response = request.send().await.ok()?;
    if response.status() == 503 {
        return None;
    }
    assert_eq!(response.status(), 201);
    let body = response.json::<Value>().await.ok()?;
    Some((slug, body["id"].as_str().unwrap().to_owned()))
}

/// Waits until every event was published and worked on, and none was given up.
async fn consumed(superuser: &Superuser) {
    let begun = Instant::now();
    for schema in ["identity", "tenancy", "access", "notification", "broadcast"] {
        for table in ["outbox", "deliveries", "waiting"] {
            let sql = format!("SELECT count(*) FROM {schema}.{table}");
            while superuser.number(&sql).await > 0 {
                assert!(begun.elapsed() < PATIENCE, "{schema}.{table} does not empty");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let dead = superuser
            .number(&format!("SELECT count(*) FROM {schema}.dead_letters"))
            .await;
        assert_eq!(dead, 0, "dead letters of {schema}");
    }
}

type Follows = BTreeMap<&'static str, i64>;

async fn follows(superuser: &Superuser, tenant: &str) -> Follows {
    let mut found = BTreeMap::new();
    for (name, sql) in FOLLOWS {
        let rows = superuser.rows(sql, &[&tenant]).await;
        found.insert(*name, rows[0].get(0));
    }
    found
}

/// Through the door: the owner comes in and finds everything there.
async fn owner_can_work(admin: &Api, slug: &str, id: &str) {
    let email = format!("owner@{slug}.example");
    let token = story::owner_link(admin, id).await;
    story::set_password(admin, &token, &email).await;
    let owner = story::log_in(admin, &email).await;
    let tenant = owner.get(&format!("/api/v1/admin/tenants/{id}")).await.ok();
    assert_eq!(tenant["status"], "active", "{tenant}");
    let senders = owner.all("/api/v1/notifications/senders").await;
    assert_eq!(senders.len(), 1, "{senders:?}");
}
