//! Roles are changed: by whom, and what of it.

use http::StatusCode;
use plaza_kernel::{Caller, SystemRole, TenantId, UserId};
use plaza_testkit::{Client, Reply, callers};
use serde_json::{Value, json};

use crate::stage::Stage;

const ROLES: &str = "/api/v1/admin/roles";

async fn put_if(client: &Client, path: &str, seen: &str, body: &Value) -> Reply {
    let request = http::Request::put(path)
        .header("content-type", "application/json")
        .header("if-match", seen)
        .body(axum::body::Body::from(body.to_string()));
    client.send(request.unwrap()).await
}

/// A role made by the owner; its path.
async fn role(stage: &Stage, tenant: TenantId, name: &str, permissions: &[&str]) -> String {
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let made = owner
        .post(ROLES, &json!({"name": name, "permissions": permissions}))
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(made.headers["etag"], "\"v1\"");
    format!("{ROLES}/{}", made.value()["id"].as_str().unwrap())
}

async fn give(stage: &Stage, tenant: TenantId, role: &str, user: UserId) {
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let given = owner
        .post(&format!("{role}/assignments"), &json!({"user_id": user}))
        .await;
    given.assert_ok();
}

fn person(tenant: TenantId, user: UserId) -> Caller {
    Caller {
        subject: user,
        ..callers::member(tenant)
    }
}

#[tokio::test]
async fn who_has_a_role_has_what_it_becomes() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let sales = role(&stage, tenant, "Sales", &["logs.view"]).await;
    give(&stage, tenant, &sales, member).await;
    let (before, held) = stage.grants(tenant, member).await;
    assert!(held.contains(22) && !held.contains(13));

    let body = json!({"name": "Sales and support", "permissions": ["campaigns.send"]});
    let changed = put_if(&owner, &sales, "\"v1\"", &body).await.assert_ok();
    assert_eq!(changed.headers["etag"], "\"v2\"");
    let view = changed.value();
    assert_eq!(
        (&view["name"], &view["permissions"]),
        (&body["name"], &body["permissions"])
    );
    assert_eq!(view["version"], 2);
    assert!(view["updated_at"].is_string());
    let (after, held) = stage.grants(tenant, member).await;
    assert!(after > before && !held.contains(22) && held.contains(13));
    let found = owner.get(&sales).await.assert_ok();
    assert_eq!(found.headers["etag"], "\"v2\"");
    // The database keeps microseconds.
    let but_time = |mut view: Value| -> Value {
        for name in ["created_at", "updated_at"] {
            view.as_object_mut().unwrap().remove(name);
        }
        view
    };
    assert_eq!(but_time(found.value()), but_time(view));

    // A part that is left out stays, and to the same is no change.
    let renamed = owner
        .put(&sales, &json!({"name": "Sales"}))
        .await
        .assert_ok()
        .value();
    assert_eq!(renamed["permissions"], json!(["campaigns.send"]));
    let none = owner
        .put(&sales, &json!({"permissions": []}))
        .await
        .assert_ok()
        .value();
    assert_eq!(
        (&none["name"], &none["permissions"]),
        (&json!("Sales"), &json!([]))
    );
    let (at_last, held) = stage.grants(tenant, member).await;
    assert!(!held.contains(13));
    let same = owner
        .put(&sales, &json!({"name": "Sales", "permissions": []}))
        .await
        .assert_ok();
    assert_eq!(but_time(same.value()), but_time(none));
    assert_eq!(stage.grants(tenant, member).await.0, at_last);
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let sales = role(&stage, tenant, "Sales", &[]).await;
    put_if(&owner, &sales, "\"v1\"", &json!({"name": "One"}))
        .await
        .assert_ok();
    let stale = put_if(&owner, &sales, "\"v1\"", &json!({"name": "Two"})).await;
    stale.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    let bodies = ["A", "B", "C"].map(|name| json!({"name": name}));
    let (one, two, three) = tokio::join!(
        put_if(&owner, &sales, "\"v2\"", &bodies[0]),
        put_if(&owner, &sales, "\"v2\"", &bodies[1]),
        put_if(&owner, &sales, "\"v2\"", &bodies[2]),
    );
    let mut statuses = [one, two, three].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
}

#[tokio::test]
async fn nobody_widens_narrows_or_renames_a_role_beyond_their_own_reach() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let clerk = role(
        &stage,
        tenant,
        "Clerk",
        &["roles.update", "logs.view", "recipients.view"],
    )
    .await;
    give(&stage, tenant, &clerk, member).await;
    let client = stage.mounted.as_caller(&person(tenant, member));
    let small = role(&stage, tenant, "Small", &["logs.view"]).await;
    let large = role(&stage, tenant, "Large", &["logs.view", "senders.manage"]).await;

    let within = client
        .put(&small, &json!({"permissions": ["recipients.view"]}))
        .await;
    within.assert_ok();
    for (role, body) in [
        // Adding what one lacks, to others' roles and to one's own.
        (&small, json!({"permissions": ["senders.manage"]})),
        (&clerk, json!({"permissions": ["roles.update", "roles.assign"]})),
        // Taking away what one lacks; leaving it as it is is no way around.
        (&large, json!({"permissions": ["logs.view"]})),
        (&large, json!({"permissions": []})),
        (&large, json!({"name": "Larger"})),
        (&large, json!({})),
    ] {
        let refused = client.put(role, &body).await;
        refused.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
    }
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let large = owner.get(&large).await.assert_ok().value();
    assert_eq!(large["permissions"], json!(["logs.view", "senders.manage"]));
    assert_eq!(large["version"], 1);
}

#[tokio::test]
async fn a_role_is_never_renamed_to_what_sounds_like_power() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let sales = role(&stage, tenant, "Sales", &[]).await;
    for name in [
        "Platform Admin",
        "platform-admin",
        "OWNER",
        " root ",
        "Plаtform Admin",
        "",
        "a\nb",
    ] {
        let reply = owner.put(&sales, &json!({"name": name})).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_ROLE");
    }
    let both = json!({"name": "root", "permissions": ["logs.view", "no.such"]});
    let reply = owner.put(&sales, &both).await;
    let problem = reply
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_ROLE")
        .value();
    let pointers: Vec<&Value> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(pointers, ["/name", "/permissions/1"]);
    let taken = owner.put(&sales, &json!({"name": " viewer "})).await;
    taken.assert_failed(StatusCode::CONFLICT, "ROLE_NAME_TAKEN");
    for body in [
        json!({"template": "administrator"}),
        json!({"tenant_id": tenant}),
        json!({"version": 9}),
    ] {
        let reply = owner.put(&sales, &body).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    }
    // A name of another tenant's is free.
    let rival = stage.tenant().await;
    role(&stage, rival, "Theirs", &[]).await;
    owner.put(&sales, &json!({"name": "Theirs"})).await.assert_ok();
}

#[tokio::test]
async fn default_roles_stay_as_they_are_and_anothers_role_looks_like_none() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let list = owner.get(ROLES).await.value();
    for default in list["items"].as_array().unwrap() {
        let path = format!("{ROLES}/{}", default["id"].as_str().unwrap());
        let reply = owner.put(&path, &json!({"permissions": []})).await;
        reply.assert_failed(StatusCode::CONFLICT, "DEFAULT_ROLE");
    }
    let theirs = role(&stage, rival, "Sales", &[]).await;
    for path in [theirs, format!("{ROLES}/{}", callers::tenant())] {
        for reply in [
            owner.get(&path).await,
            owner.get(&format!("{path}/assignments")).await,
            owner.put(&path, &json!({"name": "Mine"})).await,
            put_if(&owner, &path, "\"v1\"", &json!({"name": "Mine"})).await,
            put_if(&owner, &path, "\"v2\"", &json!({"name": "Mine"})).await,
        ] {
            reply.assert_failed(StatusCode::NOT_FOUND, "ROLE_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn who_has_a_role_is_listed_in_pages() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let sales = role(&stage, tenant, "Sales", &[]).await;
    let empty = owner
        .get(&format!("{sales}/assignments"))
        .await
        .assert_ok()
        .value();
    assert_eq!(empty, json!({"items": []}));
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(stage.member(tenant, SystemRole::Member).await);
        give(&stage, tenant, &sales, *members.last().unwrap()).await;
    }
    let first = owner
        .get(&format!("{sales}/assignments?limit=2"))
        .await
        .assert_ok()
        .value();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = owner
        .get(&format!("{sales}/assignments?limit=2&cursor={cursor}"))
        .await
        .value();
    let mut seen: Vec<Value> = Vec::new();
    for page in [&first, &second] {
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["user_id"].clone()),
        );
        assert!(page["items"][0]["created_at"].is_string());
    }
    members.sort_unstable();
    assert_eq!(json!(seen), json!(members));
}

/// What somebody may do is decided when nothing can come between the decision and its effect.
#[tokio::test]
async fn a_right_that_is_taken_away_is_not_used_by_what_waited_for_it() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let clerk = role(
        &stage,
        tenant,
        "Clerk",
        &["roles.create", "roles.update", "logs.view"],
    )
    .await;
    let small = role(&stage, tenant, "Small", &[]).await;
    give(&stage, tenant, &clerk, member).await;
    let client = stage.mounted.as_caller(&person(tenant, member));

    // Somebody else's change of the tenant's grants is under way: it takes the clerk's role away.
    let mut admin = stage.database.admin().await;
    let change = admin.transaction().await.unwrap();
    change
        .execute(
            "UPDATE access.versions SET version = version + 1 WHERE tenant_id = $1",
            &[&tenant.as_uuid()],
        )
        .await
        .unwrap();
    change
        .execute(
            "DELETE FROM access.assignments WHERE user_id = $1 AND role_id = $2::text::uuid",
            &[&member.as_uuid(), &clerk.rsplit('/').next().unwrap()],
        )
        .await
        .unwrap();
    let with_logs = json!({"permissions": ["logs.view"]});
    let made = json!({"name": "Late", "permissions": ["logs.view"]});
    let use_it = async { tokio::join!(client.post(ROLES, &made), client.put(&small, &with_logs)) };
    let finish = async {
        until_two_wait(&stage).await;
        change.commit().await.unwrap();
    };
    let ((post, put), ()) = tokio::join!(use_it, finish);
    post.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
    put.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
}

/// Until two statements wait for somebody's lock.
async fn until_two_wait(stage: &Stage) {
    let admin = stage.database.admin().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let two_wait = || async { admin.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 2 };
    plaza_testkit::eventually(std::time::Duration::from_secs(20), two_wait).await;
}

#[tokio::test]
async fn in_two_hundred_races_between_taking_and_using_no_right_is_used_once_it_is_gone() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let other = stage.member(tenant, SystemRole::Member).await;
    let clerk = role(&stage, tenant, "Clerk", &["roles.assign", "logs.view"]).await;
    let logs = role(&stage, tenant, "Logs", &["logs.view"]).await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let client = stage.mounted.as_caller(&person(tenant, member));
    let (give_clerk, give_logs) = (format!("{clerk}/assignments"), format!("{logs}/assignments"));
    let (mut used, mut refused) = (0, 0);
    for round in 0..200 {
        owner
            .post(&give_clerk, &json!({"user_id": member}))
            .await
            .assert_ok();
        owner.delete(&format!("{give_logs}/{other}")).await.assert_ok();
        let body = json!({"user_id": other});
        let use_it = async {
            // Now and then the taking is ahead.
            for _ in 0..round % 4 {
                tokio::task::yield_now().await;
            }
            client.post(&give_logs, &body).await
        };
        let gone = format!("{give_clerk}/{member}");
        let take = async {
            owner.delete(&gone).await.assert_ok();
            // Once it is taken, it is.
            client.post(&give_logs, &body).await
        };
        let (during, after) = tokio::join!(use_it, take);
        after.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
        match during.status {
            StatusCode::NO_CONTENT => used += 1,
            _ => {
                during.assert_failed(StatusCode::FORBIDDEN, "GRANTS_TOO_MUCH");
                refused += 1;
                assert!(!stage.grants(tenant, other).await.1.contains(22), "round {round}");
            }
        }
    }
    println!("used before it was taken: {used}, refused: {refused}");
}
