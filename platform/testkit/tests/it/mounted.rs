//! A mounted service, and what its answers are asserted with.

use std::time::Duration;

use http::StatusCode;
use plaza_kernel::{Kind, Permission};
use plaza_testkit::{Client, Mounted, Permit, callers, eventually};
use plaza_web::{Api, ApiError, Granted, Json, May, PermissionSource};
use serde_json::json;
use std::sync::Arc;
use utoipa_axum::routes;

use crate::SAMPLE;

struct Greet;

impl Permission for Greet {
    const MENU: &'static str = "greetings";
    const ACTION: &'static str = "send";
    const BIT: u16 = 3;
}

/// Says who asked, and gives the body back.
#[utoipa::path(post, path = "/api/v1/sample/greetings", tag = "greetings", responses((status = 200)))]
async fn greet(
    granted: Granted<May<Greet>>,
    Json(body): Json<serde_json::Value>,
) -> Result<Json<serde_json::Value>, ApiError> {
    if body.get("fail").is_some() {
        return Err(ApiError::new(Kind::Conflict, "ALREADY_GREETED", "greeted before"));
    }
    Ok(Json(
        json!({ "tenant": granted.tenant().to_string(), "body": body }),
    ))
}

fn mounted(permissions: Arc<dyn PermissionSource>) -> Mounted {
    Mounted::new(
        Api::<()>::new(SAMPLE)
            .route::<May<Greet>>(routes!(greet))
            .build((), permissions),
    )
}

async fn answer(client: &Client) -> StatusCode {
    client.post("/api/v1/sample/greetings", &json!({})).await.status
}

#[tokio::test]
async fn the_caller_and_the_permissions_are_what_the_test_says() {
    let tenant = callers::tenant();
    let reply = mounted(Permit::only::<Greet>())
        .as_caller(&callers::member(tenant))
        .post("/api/v1/sample/greetings", &json!({ "a": 1 }))
        .await
        .assert_ok();
    assert_eq!(
        reply.value(),
        json!({ "tenant": tenant.to_string(), "body": { "a": 1 } })
    );

    let member = callers::member(tenant);
    assert_eq!(
        answer(&mounted(Permit::none()).as_caller(&member)).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        answer(&mounted(Permit::unavailable()).as_caller(&member)).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        answer(&mounted(Permit::all()).anonymous()).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        answer(&mounted(Permit::none()).as_caller(&callers::owner(tenant))).await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_problem_is_asserted_by_status_and_code() {
    let client = mounted(Permit::all()).as_caller(&callers::owner(callers::tenant()));
    let reply = client
        .post("/api/v1/sample/greetings", &json!({ "fail": true }))
        .await;
    reply
        .clone()
        .assert_failed(StatusCode::CONFLICT, "ALREADY_GREETED");
    for wrong in [
        (StatusCode::CONFLICT, "OTHER"),
        (StatusCode::NOT_FOUND, "ALREADY_GREETED"),
    ] {
        let reply = reply.clone();
        assert!(
            std::panic::catch_unwind(move || reply.assert_failed(wrong.0, wrong.1)).is_err(),
            "{wrong:?}"
        );
    }
    assert!(std::panic::catch_unwind(move || reply.assert_ok()).is_err());
}

#[tokio::test]
async fn eventually_waits_for_a_yes() {
    let mut asked = 0;
    eventually(Duration::from_secs(5), || {
        asked += 1;
        std::future::ready(asked == 3)
    })
    .await;
    assert_eq!(asked, 3);
}

#[tokio::test]
#[should_panic(expected = "still not so")]
async fn eventually_does_not_wait_for_ever() {
    eventually(Duration::from_millis(20), || std::future::ready(false)).await;
}
