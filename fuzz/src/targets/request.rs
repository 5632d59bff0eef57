//! Whatever a request says in its query, its body and the headers that are read, it is answered: with a problem or without one.
//! The first lines are the query, `If-Match` and `Idempotency-Key`, the rest is the body.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::{HeaderValue, Request};
use plaza_web::{ApiError, IfMatch, OnceJson, PageParams, Query};
use serde::Deserialize;

use crate::cut::line;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read from bodies")]
struct Order {
    name: String,
    count: Option<u32>,
    tags: Vec<String>,
    inside: Option<Box<Order>>,
}

pub(crate) fn bears(bytes: &[u8]) {
    let (query, rest) = line(bytes);
    let (tag, rest) = line(rest);
    let (key, body) = line(rest);
    let target = [b"/orders?", query].concat();
    let mut request = Request::builder().method("POST").uri(target.as_slice());
    request = request.header("content-type", "application/json");
    for (name, value) in [("if-match", tag), ("idempotency-key", key)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request = request.header(name, value);
        }
    }
    let Ok(request) = request.body(Body::from(body.to_vec())) else {
        return;
    };
    // Nothing of it waits for anything.
    match read(request).now_or_never() {
        Some(Err(problem)) => assert!(problem.into_response().status().is_client_error()),
        Some(Ok(())) => {}
        None => panic!("it is not answered"),
    }
}

async fn read(request: Request<Body>) -> Result<(), ApiError> {
    let (mut parts, body) = request.into_parts();
    let Query(page) = Query::<PageParams>::from_request_parts(&mut parts, &()).await?;
    let _ = page.skip();
    let wanted = IfMatch::from_request_parts(&mut parts, &()).await?;
    let _ = wanted.required();
    let request = Request::from_parts(parts, body);
    OnceJson::<Order>::from_request(request, &()).await.map(drop)
}
