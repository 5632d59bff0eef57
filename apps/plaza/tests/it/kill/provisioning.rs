//! Tenants that are made while Plaza is killed: whole, every one, or not there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Method;
use rand::Rng;
use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, Receipts};
use crate::client::Api;
use crate::story;
use crate::superuser::Superuser;

const TENANTS: usize = 10;
const KILLS: usize = 5;

/// What follows from a tenant's making, by schema; one number each.
const FOLLOWS: &[(&str, &str)] = &[
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
    let begun = Instant::now();
    let mut bench = Bench::open(Receipts::Arrive).await;
    let admin = story::administrator(&bench.plaza).await;
    let calm = story::tenant(&admin, "calm").await;
    let made = make(&mut bench, &admin).await;
    let superuser = Superuser::of(&bench.plaza).await;
    consumed(&superuser).await;

    let whole = follows(&superuser, &calm.id).await;
    let expected = ["owners", "members", "senders", "accounts", "slugs"].map(|name| whole[name]);
    assert_eq!(
        (expected, whole["roles"], whole["default roles"]),
        ([1; 5], 3, 3),
        "{whole:?}"
    );
    let all = superuser
        .rows("SELECT tenant_id::text, slug FROM tenancy.tenants", &[])
        .await;
    for row in &all {
        let (id, slug): (String, String) = (row.get(0), row.get(1));
        assert_eq!(follows(&superuser, &id).await, whole, "{slug} is not whole");
    }
    for (slug, id) in &made {
        assert!(
            all.iter().any(|row| row.get::<_, String>(0) == *id),
            "{slug} was answered for and is gone"
        );
        owner_can_work(&admin, slug, id).await;
    }
    assert!(made.len() >= TENANTS, "{made:?}");
    eprintln!(
        "{} tenants, {} kills, {:.1} s",
        all.len(),
        bench.killed,
        begun.elapsed().as_secs_f64()
    );
}

/// Makes tenants while Plaza is killed; slug and id of those that were answered for.
async fn make(bench: &mut Bench, admin: &Api) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    let mut kills = bench.points(KILLS, TENANTS as u64);
    let mut number = 0;
    while made.len() < TENANTS || bench.killed < KILLS {
        number += 1;
        let slug = format!("t{number}");
        let body = json!({"slug": slug, "name": slug, "admin_email": format!("owner@{slug}.example")});
        let request = admin
            .request(Method::POST, "/api/v1/admin/tenants")
            .json(&body)
            .send();
        let killed = kills.first().is_some_and(|at| *at < number);
        let answered = if killed {
            kills.remove(0);
            // From before the request arrives until after everything that follows is done.
            let moment = Duration::from_micros(bench.dice.random_range(0..120_000));
            let late = async {
                tokio::time::sleep(moment).await;
                bench.kill().await;
            };
            tokio::join!(request, late).0
        } else {
            request.await
        };
        // Who gets no answer knows nothing. The tenant is whole or not there, and that is looked at too.
        let Ok(response) = answered else { continue };
        assert_eq!(response.status(), 201);
        let Ok(body) = response.json::<Value>().await else {
            continue;
        };
        made.insert(slug, body["id"].as_str().unwrap().to_owned());
    }
    made
}

/// Waits until every event was published and worked on, and none was given up.
async fn consumed(superuser: &Superuser) {
    let begun = Instant::now();
    for schema in ["identity", "tenancy", "access", "notification", "broadcast"] {
        for table in ["outbox", "deliveries"] {
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

async fn follows(superuser: &Superuser, tenant: &str) -> BTreeMap<&'static str, i64> {
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
