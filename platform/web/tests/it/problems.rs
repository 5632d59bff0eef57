//! One form for every error.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get as on_get;
use axum::{Json, Router};
use plaza_kernel::{Clock, Failure, FieldError, Kind};
use plaza_web::{ApiError, outermost};

use crate::support::{Reply, ask, get};

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the table is on fire")]
    Inside(#[source] std::io::Error),
    #[error("the shop is shut")]
    Shut,
}

impl Failure for Broken {
    fn kind(&self) -> Kind {
        match self {
            Self::Inside(_) => Kind::Internal,
            Self::Shut => Kind::Throttled,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Inside(_) => "INTERNAL",
            Self::Shut => "SHOP_SHUT",
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        vec![FieldError::new("/door", "CLOSED", "it is closed")]
    }

    fn retry_after(&self) -> Option<u32> {
        Some(12)
    }
}

fn shop() -> Router {
    let inside = || async { Err::<(), ApiError>(Broken::Inside(std::io::Error::other("secret")).into()) };
    let shut = || async { Err::<(), ApiError>(Broken::Shut.into()) };
    let teapot = || async { (http::StatusCode::IM_A_TEAPOT, Json("mine")).into_response() };
    let panics = || async {
        if true {
            panic!("boo")
        }
    };
    let router = Router::new()
        .route("/inside", on_get(inside))
        .route("/shut", on_get(shut))
        .route("/teapot", on_get(teapot))
        .route("/panics", on_get(panics));
    Router::new().fallback_service(outermost(router, Clock::system()))
}

fn as_head(path: &str) -> Request {
    Request::head(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_kind_has_its_status() {
    let statuses = [
        (Kind::Malformed, 400),
        (Kind::Invalid, 422),
        (Kind::Unauthenticated, 401),
        (Kind::Forbidden, 403),
        (Kind::NotFound, 404),
        (Kind::Conflict, 409),
        (Kind::PreconditionFailed, 412),
        (Kind::PreconditionRequired, 428),
        (Kind::TooLarge, 413),
        (Kind::UnsupportedMedia, 415),
        (Kind::Throttled, 429),
        (Kind::Unavailable, 503),
        (Kind::DeadlineExceeded, 503),
        (Kind::Internal, 500),
    ];
    for (kind, status) in statuses {
        let response: Response = ApiError::new(kind, "SOME_CODE", "text").into_response();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
        assert_eq!(response.headers().contains_key("retry-after"), status == 503);
    }
}

#[tokio::test]
async fn a_failure_says_its_code_its_fields_and_when_to_come_back() {
    let reply = ask(&shop(), get("/shut")).await;
    let problem = reply.assert_failed(429, "SHOP_SHUT");
    assert_eq!(problem.kind, "https://plaza.invalid/problems/shop-shut");
    assert_eq!(problem.title, "Too Many Requests");
    assert_eq!(problem.detail, "the shop is shut");
    assert_eq!(
        problem.errors,
        [FieldError::new("/door", "CLOSED", "it is closed")]
    );
    assert_eq!(reply.headers["retry-after"], "12");
    assert_eq!(
        problem.request_id.as_deref(),
        reply.headers["x-request-id"].to_str().ok()
    );
    let length: usize = reply.headers["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(length, reply.body.len());
}

#[tokio::test]
async fn our_own_faults_keep_their_text_inside() {
    let reply = ask(&shop(), get("/inside")).await;
    reply.assert_failed(500, "INTERNAL");
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(!text.contains("fire") && !text.contains("secret"));
}

#[tokio::test]
async fn a_panic_is_a_problem_that_names_its_request() {
    let mut request = get("/panics");
    request
        .headers_mut()
        .insert("x-request-id", "from-outside.1".parse().unwrap());
    let reply = ask(&shop(), request).await;
    assert_eq!(
        reply.assert_failed(500, "INTERNAL").request_id.as_deref(),
        Some("from-outside.1")
    );
    assert!(!String::from_utf8_lossy(&reply.body).contains("boo"));
}

#[tokio::test]
async fn unknown_paths_and_other_methods_are_problems_too() {
    ask(&shop(), get("/nowhere"))
        .await
        .assert_failed(404, "NOT_FOUND");
    let reply = ask(&shop(), Request::delete("/shut").body(Body::empty()).unwrap()).await;
    reply.assert_failed(405, "METHOD_NOT_ALLOWED");
    assert_eq!(reply.headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn an_error_with_a_body_of_its_own_is_left_alone() {
    let reply = ask(&shop(), get("/teapot")).await;
    assert_eq!(
        (reply.status.as_u16(), reply.body.as_slice()),
        (418, &b"\"mine\""[..])
    );
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    for path in ["/shut", "/nowhere"] {
        let (head, full): (Reply, Reply) = (ask(&shop(), as_head(path)).await, ask(&shop(), get(path)).await);
        assert_eq!((head.status, head.body.len()), (full.status, 0));
        assert_eq!(head.headers["content-length"], full.headers["content-length"]);
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_if_it_looks_like_one_and_made_otherwise() {
    let answered = async |id: Option<&str>| {
        let mut request = get("/teapot");
        id.map(|id| request.headers_mut().insert("x-request-id", id.parse().unwrap()));
        ask(&shop(), request).await.headers["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(answered(Some("abc-1.2_Z")).await, "abc-1.2_Z");
    for strange in [
        None,
        Some(""),
        Some("a b"),
        Some("<x>"),
        Some(&"a".repeat(129) as &str),
    ] {
        assert_eq!(answered(strange).await.len(), 32, "{strange:?}");
    }
    assert_ne!(answered(None).await, answered(None).await);
}
