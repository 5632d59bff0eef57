//! What does not parse answers a problem with a stable code and says where.

use axum::Router;
use plaza_kernel::{Cursor, UserId};
use plaza_web::{Anyone, Api, ApiError, Granted, Json, Multipart, PageParams, Path, Query};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::support::{Reply, SERVICE, ask, get, nothing_granted, post};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    lines: Vec<Line>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "a/b~c")]
    amount: u32,
    kind: Option<Kind>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Small,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[expect(dead_code, reason = "only parsed")]
    least: Option<u32>,
}

#[derive(Deserialize)]
struct Both {
    #[serde(flatten)]
    page: PageParams,
    name: Option<String>,
}

#[utoipa::path(post, path = "/orders", request_body = Order)]
async fn order(_: Granted<Anyone>, Json(order): Json<Order>) -> String {
    let small = |line: &Line| {
        if matches!(line.kind, Some(Kind::Small)) {
            0
        } else {
            line.amount
        }
    };
    format!("{} {}", order.name, order.lines.iter().map(small).sum::<u32>())
}

#[utoipa::path(post, path = "/any")]
async fn any(Json(_body): Json<serde_json::Value>) {}

#[utoipa::path(get, path = "/orders/{id}")]
async fn one(Path(id): Path<UserId>) -> String {
    id.to_string()
}

#[utoipa::path(get, path = "/disagreeing/{id}")]
async fn disagreeing(Path(_id): Path<(UserId, UserId)>) {}

#[utoipa::path(get, path = "/filtered")]
async fn filtered(Query(_filter): Query<Filter>) {}

#[utoipa::path(get, path = "/paged", params(PageParams))]
async fn paged(Query(both): Query<Both>) -> Result<String, ApiError> {
    let page = both.page.parse()?;
    let cursor = page.cursor.map(|cursor| cursor.to_string());
    Ok(format!(
        "{} {cursor:?} {} {:?}",
        page.limit.get(),
        both.page.skip()?,
        both.name
    ))
}

#[utoipa::path(post, path = "/files")]
async fn files(mut form: Multipart) -> Result<String, ApiError> {
    let mut seen = Vec::new();
    while let Some(part) = form.next_part().await? {
        let name = part.name().unwrap_or_default().to_owned();
        seen.push(format!("{name}={}", part.text().await?));
    }
    Ok(seen.join(";"))
}

fn shop() -> Router {
    let api = Api::<()>::new(SERVICE)
        .route::<Anyone>(routes!(order))
        .route::<Anyone>(routes!(any))
        .route::<Anyone>(routes!(one))
        .route::<Anyone>(routes!(disagreeing))
        .route::<Anyone>(routes!(filtered))
        .route::<Anyone>(routes!(paged))
        .route::<Anyone>(routes!(files));
    api.build((), nothing_granted()).router
}

async fn send(body: &str) -> Reply {
    ask(&shop(), post("/orders", "application/json", body.to_owned())).await
}

async fn refused(body: &str) -> (String, String) {
    let problem = send(body).await.assert_failed(422, "INVALID_BODY");
    (problem.errors[0].pointer.clone(), problem.errors[0].code.clone())
}

#[tokio::test]
async fn a_good_body_arrives() {
    let reply = send(r#"{"name":"x","lines":[{"a/b~c":2},{"a/b~c":40}]}"#).await;
    assert_eq!(
        (reply.status.as_u16(), reply.body.as_slice()),
        (200, &b"x 42"[..])
    );
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let deep = "[".repeat(100_000);
    let wide = format!("{deep}{}", "]".repeat(100_000));
    for body in [
        "",
        " ",
        "{",
        r#"{"name":"x","lines":[]} x"#,
        "\u{feff}{}",
        r#"{"name":"\ud800","lines":[]}"#,
    ] {
        send(body).await.assert_failed(400, "MALFORMED_JSON");
    }
    for body in ["1e400", "NaN", "[1,]", "{\"a\":1,}", &deep, &wide] {
        let reply = ask(&shop(), post("/any", "application/json", body.to_owned())).await;
        reply.assert_failed(400, "MALFORMED_JSON");
    }
}

#[tokio::test]
async fn a_field_that_is_not_acceptable_is_pointed_at() {
    let say = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(refused(r#"{"lines":[]}"#).await, say("/name", "REQUIRED"));
    assert_eq!(
        refused(r#"{"name":7,"lines":[]}"#).await,
        say("/name", "INVALID_TYPE")
    );
    assert_eq!(
        refused(r#"{"name":"x","lines":[],"role":"owner"}"#).await,
        say("/role", "UNKNOWN_FIELD")
    );
    assert_eq!(
        refused(r#"{"name":"x","name":"y","lines":[]}"#).await,
        say("/name", "DUPLICATE_FIELD")
    );
    assert_eq!(
        refused(r#"{"name":"x","lines":[{"a/b~c":1},{"a/b~c":-1}]}"#).await,
        say("/lines/1/a~1b~0c", "INVALID_VALUE")
    );
    assert_eq!(
        refused(r#"{"name":"x","lines":[{}]}"#).await,
        say("/lines/0/a~1b~0c", "REQUIRED")
    );
    let wrong = r#"{"name":"x","lines":[{"a/b~c":1,"kind":"huge"}]}"#;
    assert_eq!(refused(wrong).await, say("/lines/0/kind", "INVALID_VALUE"));
}

#[tokio::test]
async fn the_nul_character_is_refused_before_the_database_has_to() {
    assert_eq!(
        refused(r#"{"name":"a\u0000b","lines":[]}"#).await.1,
        "NUL_CHARACTER"
    );
    // An escaped backslash before `u0000` is plain text.
    assert_eq!(send(r#"{"name":"a\\u0000b","lines":[]}"#).await.status, 200);
    ask(&shop(), get("/paged?name=a%00b"))
        .await
        .assert_failed(422, "INVALID_QUERY");
    ask(&shop(), get("/orders/a%00b"))
        .await
        .assert_failed(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_long_value_is_not_repeated_whole() {
    let body = format!(
        r#"{{"name":"x","lines":[{{"a/b~c":1,"kind":"{}"}}]}}"#,
        "h".repeat(10_000)
    );
    let problem = send(&body).await.assert_failed(422, "INVALID_BODY");
    assert!(problem.errors[0].detail.len() < 300);
}

#[tokio::test]
async fn only_json_is_taken_for_json() {
    for media in [
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "",
    ] {
        let reply = ask(&shop(), post("/orders", media, "{}")).await;
        reply.assert_failed(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    for media in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ] {
        let reply = ask(&shop(), post("/orders", media, r#"{"name":"x","lines":[]}"#)).await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn a_path_that_does_not_parse_is_not_found() {
    for id in ["7", "not-an-id", "%ff", "00000000-0000-0000-0000-00000000000g"] {
        ask(&shop(), get(&format!("/orders/{id}")))
            .await
            .assert_failed(404, "NOT_FOUND");
    }
    let id = "018f0000-0000-7000-8000-000000000000";
    assert_eq!(
        ask(&shop(), get(&format!("/orders/{id}"))).await.body,
        id.as_bytes()
    );
}

#[tokio::test]
async fn a_handler_that_disagrees_with_its_path_is_a_defect() {
    ask(&shop(), get("/disagreeing/7"))
        .await
        .assert_failed(500, "INTERNAL");
}

#[tokio::test]
async fn a_query_parameter_that_is_not_acceptable_is_named() {
    for (query, name, code) in [
        ("least=x", "least", "INVALID_VALUE"),
        ("least=1&least=2", "least", "DUPLICATE_FIELD"),
        ("most=1", "most", "UNKNOWN_FIELD"),
    ] {
        let reply = ask(&shop(), get(&format!("/filtered?{query}"))).await;
        let problem = reply.assert_failed(422, "INVALID_QUERY");
        assert_eq!(
            (
                problem.errors[0].pointer.as_str(),
                problem.errors[0].code.as_str()
            ),
            (name, code)
        );
    }
}

#[tokio::test]
async fn a_page_is_read_alike_in_every_list() {
    let cursor = Cursor::after(plaza_kernel::Clock::system().uuid()).to_string();
    let text = async |query: String| {
        let reply = ask(&shop(), get(&format!("/paged{query}"))).await;
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.body).unwrap()
    };
    assert_eq!(text(String::new()).await, "50 None 0 None");
    assert_eq!(
        text("?limit=200&page=3&name=x".to_owned()).await,
        "200 None 400 Some(\"x\")"
    );
    assert_eq!(
        text(format!("?page=3&cursor={cursor}")).await,
        format!("50 Some({cursor:?}) 0 None")
    );
}

#[tokio::test]
async fn a_page_that_is_none_is_refused() {
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=1000000000", "limit"),
        ("limit=", "limit"),
        ("cursor=c1zz", "cursor"),
        ("cursor=", "cursor"),
        ("page=0", "page"),
        ("page=99999999999", "page"),
    ] {
        let problem = ask(&shop(), get(&format!("/paged?{query}")))
            .await
            .assert_failed(422, "INVALID_QUERY");
        assert_eq!(problem.errors[0].pointer, name, "{query}");
    }
}

#[tokio::test]
async fn a_form_is_read_part_by_part_and_a_broken_one_is_malformed() {
    let media = "multipart/form-data; boundary=b";
    let part = |name: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let whole = format!("{}{}--b--\r\n", part("x", "1"), part("y", "2"));
    assert_eq!(ask(&shop(), post("/files", media, whole)).await.body, b"x=1;y=2");
    let broken = ask(&shop(), post("/files", media, part("x", "1"))).await;
    broken.assert_failed(400, "MALFORMED_MULTIPART");
    ask(&shop(), post("/files", "multipart/form-data", ""))
        .await
        .assert_failed(400, "MALFORMED_MULTIPART");
    ask(&shop(), post("/files", "text/csv", "a"))
        .await
        .assert_failed(415, "UNSUPPORTED_MEDIA_TYPE");
    let long = format!("{}--b--\r\n", part("x", &"1".repeat(2 << 20)));
    ask(&shop(), post("/files", media, long))
        .await
        .assert_failed(413, "BODY_TOO_LARGE");
}
