use chrono::TimeDelta;
use http::StatusCode;
use plaza_contracts::events::OwnerProvisioned;
use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_contracts::services::TENANCY;
use plaza_kernel::{Caller, Clock, TenantId, UserId};
use plaza_messaging::outbox;
use plaza_testkit::{callers, settle};
use serde_json::{Value, json};

use crate::stage::Stage;

fn acme() -> Value {
    json!({"slug": "acme", "name": "Acme Ltd", "admin_email": "owner@acme.example"})
}

async fn create(stage: &Stage, body: &Value) -> TenantId {
    let reply = stage
        .mounted
        .as_caller(&callers::platform_admin())
        .post("/api/v1/admin/tenants", body)
        .await;
    let reply = reply.assert_status(StatusCode::CREATED).value();
    serde_json::from_value(reply["id"].clone()).unwrap()
}

#[tokio::test]
async fn a_tenant_and_its_event_are_one_fact() {
    let stage = Stage::open().await;
    let id = create(&stage, &acme()).await;
    let admin = stage.database.admin().await;
    let event = admin
        .query_one("SELECT tenant_id, name, payload::text FROM tenancy.outbox", &[])
        .await
        .unwrap();
    assert_eq!(event.get::<_, uuid::Uuid>(0), id.as_uuid());
    assert_eq!(event.get::<_, String>(1), "tenant.created");
    let payload: Value = serde_json::from_str(event.get(2)).unwrap();
    assert_eq!(
        payload,
        json!({"tenant_id": id, "slug": "acme", "name": "Acme Ltd", "admin_email": "owner@acme.example"})
    );
}

#[tokio::test]
async fn without_its_event_there_is_no_tenant() {
    let stage = Stage::open().await;
    let admin = stage.database.admin().await;
    let full = "ALTER TABLE tenancy.outbox ADD CONSTRAINT full_up CHECK (false)";
    admin.batch_execute(full).await.unwrap();
    let caller = stage.mounted.as_caller(&callers::platform_admin());
    let reply = caller.post("/api/v1/admin/tenants", &acme()).await;
    assert!(reply.status.is_server_error(), "{}", reply.status);
    assert_eq!(stage.count("SELECT count(*) FROM tenancy.tenants").await, 0);
    assert_eq!(stage.count("SELECT count(*) FROM tenancy.slugs").await, 0);

    let emptied = "ALTER TABLE tenancy.outbox DROP CONSTRAINT full_up";
    admin.batch_execute(emptied).await.unwrap();
    create(&stage, &acme()).await;
    assert_eq!(stage.events("tenant.created").await.len(), 1);
}

#[tokio::test]
async fn a_slug_is_taken_once_and_a_refused_tenant_leaves_nothing() {
    let stage = Stage::open().await;
    create(&stage, &acme()).await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let again = admin.post("/api/v1/admin/tenants", &acme()).await;
    again.assert_failed(StatusCode::CONFLICT, "SLUG_TAKEN");
    let rows = stage.database.admin().await;
    for table in ["tenancy.tenants", "tenancy.slugs", "tenancy.outbox"] {
        let count: i64 = rows
            .query_one(&format!("SELECT count(*) FROM {table}"), &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(count, 1, "{table}");
    }
}

#[tokio::test]
async fn wrong_values_are_all_told_at_once() {
    let stage = Stage::open().await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let body = json!({"slug": "WWW", "name": " ", "admin_email": "nobody"});
    let reply = admin.post("/api/v1/admin/tenants", &body).await;
    let problem = reply
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_TENANT")
        .value();
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/slug", "/name", "/admin_email"]);
    let unknown = json!({"slug": "a", "name": "A", "admin_email": "a@b.example", "status": "active"});
    let reply = admin.post("/api/v1/admin/tenants", &unknown).await;
    reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
}

#[tokio::test]
async fn an_address_that_identity_makes_no_account_of_makes_no_tenant() {
    let stage = Stage::open().await;
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    for (number, email) in [
        "ｏwner@acme.example",
        "owner@exämple.org",
        "owner@acme.example.",
        "owner@-acme.example",
        "owner..x@acme.example",
        "\"owner\"@acme.example",
        "owner@acme_example.org",
        &format!("{}@acme.example", "o".repeat(65)),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"slug": format!("acme-{number}"), "name": "Acme", "admin_email": email});
        let reply = admin.post("/api/v1/admin/tenants", &body).await;
        let problem = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_TENANT")
            .value();
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!("/admin_email"), &json!("INVALID_EMAIL")),
            "{email}"
        );
    }
    let body = json!({"slug": "acme", "name": "Acme", "admin_email": " Owner@Acme.Example "});
    let reply = admin.post("/api/v1/admin/tenants", &body).await;
    let made = reply.assert_status(StatusCode::CREATED).value();
    assert_eq!(made["admin_email"], "Owner@Acme.Example");
}

#[tokio::test]
async fn an_owner_sees_their_own_tenant_and_another_one_looks_like_none() {
    let stage = Stage::open().await;
    let mine = create(&stage, &acme()).await;
    let other = json!({"slug": "rival", "name": "Rival", "admin_email": "o@rival.example"});
    let theirs = create(&stage, &other).await;
    let owner = stage.mounted.as_caller(&callers::owner(mine));
    let path = |id: TenantId| format!("/api/v1/admin/tenants/{id}");
    assert_eq!(owner.get(&path(mine)).await.assert_ok().value()["slug"], "acme");
    let without_id = |mut problem: Value| {
        problem.as_object_mut().unwrap().remove("request_id");
        problem
    };
    let foreign = owner
        .get(&path(theirs))
        .await
        .assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    let random = owner
        .get(&path(callers::tenant()))
        .await
        .assert_failed(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND");
    assert_eq!(without_id(foreign.value()), without_id(random.value()));
    assert_eq!(
        stage
            .mounted
            .as_caller(&callers::platform_admin())
            .get(&path(theirs))
            .await
            .assert_ok()
            .value()["slug"],
        "rival"
    );
}

#[tokio::test]
async fn the_list_comes_in_pages_newest_first() {
    let stage = Stage::open().await;
    for slug in ["one", "two", "three"] {
        create(
            &stage,
            &json!({"slug": slug, "name": slug, "admin_email": "o@x.example"}),
        )
        .await;
    }
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let first = admin
        .get("/api/v1/admin/tenants?limit=2")
        .await
        .assert_ok()
        .value();
    let slugs = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(slugs(&first), ["three", "two"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin
        .get(&format!("/api/v1/admin/tenants?limit=2&cursor={cursor}"))
        .await
        .assert_ok()
        .value();
    assert_eq!(slugs(&second), ["one"]);
    assert!(second["next_cursor"].is_null());
}

#[tokio::test]
async fn a_tenant_whose_owner_is_there_becomes_active_and_only_once() {
    let stage = Stage::open().await;
    let id = create(&stage, &acme()).await;
    let database = stage.database.of(TENANCY);
    let clock = Clock::system();
    for _ in 0..2 {
        let tx = database.begin(id);
        let event = OwnerProvisioned {
            tenant_id: id,
            user_id: UserId::generate(&clock),
        };
        outbox::append(&tx, &clock, &event).await.unwrap();
        tx.commit().await.unwrap();
    }
    settle([(database, stage.tenancy.subscriptions())]).await;
    let mut tenancy = stage.rpc();
    let found = tenancy
        .resolve(ResolveRequest {
            slug: "acme".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (found.tenant_id, found.status),
        (id.to_string(), "active".to_owned())
    );
    let missing = tenancy
        .resolve(ResolveRequest {
            slug: "nobody".to_owned(),
        })
        .await
        .unwrap_err();
    assert!(plaza_rpc::RpcError::from(missing).is("TENANT_NOT_FOUND"));
}

#[tokio::test]
async fn a_request_that_is_repeated_makes_one_tenant() {
    let stage = Stage::open().await;
    let admin = callers::platform_admin();
    let ask = async |who: &Caller, key: &str, body: &Value| {
        let request = http::Request::post("/api/v1/admin/tenants")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(axum::body::Body::from(body.to_string()));
        stage.mounted.as_caller(who).send(request.unwrap()).await
    };
    let first = ask(&admin, "k1", &acme())
        .await
        .assert_status(StatusCode::CREATED);
    let again = ask(&admin, "k1", &acme())
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.body, first.body, "to the byte");
    assert!(!first.headers.contains_key("idempotency-replayed"));

    let other = json!({"slug": "rival", "name": "Rival", "admin_email": "o@rival.example"});
    let misused = ask(&admin, "k1", &other).await;
    misused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH");
    // Keys are each one's own; and what failed leaves none.
    let elsewhere = ask(&callers::platform_admin(), "k1", &acme()).await;
    elsewhere.assert_failed(StatusCode::CONFLICT, "SLUG_TAKEN");
    let taken = ask(&admin, "k2", &acme()).await;
    taken.assert_failed(StatusCode::CONFLICT, "SLUG_TAKEN");
    ask(&admin, "k2", &other).await.assert_status(StatusCode::CREATED);
    assert_eq!(stage.count("SELECT count(*) FROM tenancy.tenants").await, 2);
    assert_eq!(stage.events("tenant.created").await.len(), 2);

    // Many at once are one.
    let many = json!({"slug": "many", "name": "Many", "admin_email": "o@many.example"});
    let (one, two, three) = tokio::join!(
        ask(&admin, "k3", &many),
        ask(&admin, "k3", &many),
        ask(&admin, "k3", &many)
    );
    for reply in [&one, &two, &three] {
        assert_eq!((reply.status, &reply.body), (StatusCode::CREATED, &one.body));
    }
    assert_eq!(stage.events("tenant.created").await.len(), 3);
}

#[tokio::test]
async fn tenants_are_read_by_the_numbers_of_their_pages_too() {
    let stage = Stage::open().await;
    for slug in ["one", "two", "three"] {
        stage.tenant(slug).await;
        stage.time.advance(TimeDelta::seconds(1));
    }
    let admin = stage.mounted.as_caller(&callers::platform_admin());
    let page = async |number: u32| -> Vec<String> {
        let path = format!("/api/v1/admin/tenants?limit=2&page={number}");
        let page = admin.get(&path).await.assert_ok().value();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(page(1).await, ["three", "two"]);
    assert_eq!(page(2).await, ["one"]);
    assert_eq!(page(3).await, [""; 0]);
}
