//! Requests that may be repeated: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). Who keeps the keys and the
//! answers is `plaza-once`; here the header is read, and an answer that is repeated says so.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use plaza_crypto::sha256;
use plaza_kernel::{Answer, Kind, OnceKey, OnceRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::extract::json;
use crate::{ApiError, Json, Version, etag};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key.
const MOST: usize = 255;

/// A JSON body as [`Json`] reads it, and the key under which this very request may be repeated. 400
/// `MALFORMED_IDEMPOTENCY_KEY` besides.
#[derive(Debug, Clone)]
pub struct OnceJson<T>(pub T, pub OnceKey);

/// The key of a request without a body.
#[derive(Debug, Clone)]
pub struct OnceHead(pub OnceKey);

/// The key of an upload. It is of use when what came is known, which is after it was read: [`OnceUpload::of`].
#[derive(Debug, Clone)]
pub struct OnceUpload(Option<(String, [Vec<u8>; 2])>);

impl OnceUpload {
    /// The key, for an upload of this content: its parts, or their digests, as the operation tells two uploads apart.
    pub fn of(self, content: &[&[u8]]) -> OnceKey {
        OnceKey(self.0.map(|(key, head)| OnceRequest {
            key,
            fingerprint: fingerprint(&head, content),
        }))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OnceJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let key = key(request.headers())?;
        let (parts, body) = request.into_parts();
        let head = key.is_some().then(|| head(&parts));
        let body = json::bytes(Request::from_parts(parts, body), state).await?;
        let value = json::parse(&body)?;
        let request = key.zip(head).map(|(key, head)| OnceRequest {
            key,
            fingerprint: fingerprint(&head, &[&body]),
        });
        Ok(Self(value, OnceKey(request)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OnceHead {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let request = key(&parts.headers)?.map(|key| OnceRequest {
            key,
            fingerprint: fingerprint(&head(parts), &[]),
        });
        Ok(Self(OnceKey(request)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OnceUpload {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(key(&parts.headers)?.map(|key| (key, head(parts)))))
    }
}

/// The key, if there is one. Two are none that could be kept to.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let is_key =
        |text: &&str| (1..=MOST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match text.filter(is_key) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(ApiError::new(
            Kind::Malformed,
            "MALFORMED_IDEMPOTENCY_KEY",
            "`Idempotency-Key` is one key of 1 to 255 visible ASCII characters",
        )),
    }
}

fn head(parts: &Parts) -> [Vec<u8>; 2] {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    [parts.method.as_str().into(), target.into()]
}

/// Each part with its length, so that no two requests read alike.
fn fingerprint(head: &[Vec<u8>; 2], body: &[&[u8]]) -> [u8; 32] {
    let mut text = Vec::new();
    for part in head.iter().map(Vec::as_slice).chain(body.iter().copied()) {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    sha256(&text)
}

/// What a request is answered that may be repeated: a repeated answer is the first one to the byte, with
/// `Idempotency-Replayed: true`. Both carry the `ETag` of what was made, if the body has a `version`.
pub fn answered<T: Serialize>(status: StatusCode, answer: Answer<T>) -> Response {
    match answer {
        Answer::New(value) => match serde_json::to_string(&value) {
            Ok(body) => with_body(status, body),
            // It fails again, and says how.
            Err(_) => Json(value).into_response(),
        },
        Answer::Replayed { status, body } => {
            // A status that was kept is one that was answered.
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let replayed = [(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))];
            (replayed, with_body(status, body)).into_response()
        }
    }
}

/// What of an answer is in its head too.
#[derive(Deserialize)]
struct Versioned {
    version: i64,
}

fn with_body(status: StatusCode, body: String) -> Response {
    if body.is_empty() {
        return status.into_response();
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    // A list would be taken for the fields in their order.
    let object = Some(body.as_str()).filter(|body| body.starts_with('{'));
    let made = object.and_then(|object| serde_json::from_str::<Versioned>(object).ok());
    let tag = made.map(|made| [etag(Version(made.version))]);
    (
        status,
        json,
        tag.into_iter().flatten().collect::<HeaderMap>(),
        body,
    )
        .into_response()
}

/// `Idempotency-Key` in the OpenAPI document: `params(OnceParams)`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive only")]
pub struct OnceParams {
    /// A name of the client's for this request, 1 to 255 visible ASCII characters. Repeated within a day, the request has no
    /// second effect and is answered as the first time.
    #[param(rename = "Idempotency-Key", value_type = Option<String>, min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use serde_json::{Value, json};

    use super::*;

    async fn read(target: &str, keys: &[&str], body: &str) -> Result<OnceKey, (StatusCode, &'static str)> {
        let mut request = Request::post(target).header("content-type", "application/json");
        for key in keys {
            request = request.header(IDEMPOTENCY_KEY, *key);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let read = OnceJson::<Value>::from_request(request, &()).await;
        read.map(|OnceJson(_, key)| key)
            .map_err(|error| (error.status(), error.code()))
    }

    #[tokio::test]
    async fn a_key_goes_with_what_was_asked() {
        let first = read("/a?b=1", &["k"], "{}").await.unwrap();
        assert_eq!(read("/a?b=1", &["k"], "{}").await.unwrap(), first);
        for (target, body) in [
            ("/a?b=2", "{}"),
            ("/a", "{}"),
            ("/b?b=1", "{}"),
            ("/a?b=1", "{ }"),
        ] {
            let other = read(target, &["k"], body).await.unwrap().0.unwrap();
            let first = first.0.clone().unwrap();
            assert_eq!(other.key, first.key);
            assert_ne!(other.fingerprint, first.fingerprint, "{target} {body}");
        }
        assert_eq!(read("/a?b=1", &[], "{}").await.unwrap(), OnceKey::NONE);
    }

    #[tokio::test]
    async fn what_cannot_be_kept_to_is_refused() {
        let long = "k".repeat(256);
        for keys in [&[""][..], &["two words"], &["a", "a"], &["é"], &[&long]] {
            let refused = (StatusCode::BAD_REQUEST, "MALFORMED_IDEMPOTENCY_KEY");
            assert_eq!(read("/", keys, "{}").await, Err(refused), "{keys:?}");
        }
        assert!(read("/", &[&long[1..]], "{}").await.is_ok());
    }

    #[tokio::test]
    async fn an_upload_is_known_by_what_came_and_not_by_what_was_said_about_it() {
        let of = async |length: &str, content: &[&[u8]]| {
            let request = Request::post("/").header("content-length", length);
            let request = request.header(IDEMPOTENCY_KEY, "k").body(()).unwrap();
            let mut parts = request.into_parts().0;
            let upload = OnceUpload::from_request_parts(&mut parts, &()).await.unwrap();
            upload.of(content)
        };
        let first = of("10", &[b"ab", b"c"]).await;
        assert_eq!(of("11", &[b"ab", b"c"]).await, first);
        for other in [&[&b"ab"[..], b"d"][..], &[b"a", b"bc"], &[b"abc"], &[]] {
            assert_ne!(of("10", other).await, first, "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_repeated_answer_is_the_first_one_and_says_so() {
        let first = answered(StatusCode::CREATED, Answer::New(json!({"id": 7, "version": 3})));
        assert_eq!(first.headers()["etag"], "\"v3\"");
        let body = String::from_utf8(to_bytes(first.into_body(), 99).await.unwrap().to_vec()).unwrap();
        let again = Answer::<Value>::Replayed { status: 201, body };
        let again = answered(StatusCode::OK, again);
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()["idempotency-replayed"], "true");
        assert_eq!(again.headers()["content-type"], "application/json");
        assert_eq!(again.headers()["etag"], "\"v3\"");
        assert_eq!(
            &to_bytes(again.into_body(), 99).await.unwrap()[..],
            br#"{"id":7,"version":3}"#
        );
        for unversioned in [json!({"id": 7}), json!({"version": "a"}), json!([1])] {
            let answer = answered(StatusCode::CREATED, Answer::New(unversioned));
            assert_eq!(answer.headers().get("etag"), None);
        }
    }
}
