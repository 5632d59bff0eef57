//! JSON bodies.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, header};
use plaza_kernel::{FieldError, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fields::field_error;
use crate::{ApiError, unreadable_body};

/// A JSON body: `application/json`, unknown fields refused where the type says so. 400 `MALFORMED_JSON`,
/// 415 `UNSUPPORTED_MEDIA_TYPE`, 422 `INVALID_BODY` with a JSON pointer.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse(&bytes(request, state).await?).map(Self)
    }
}

/// The body of a request that says it is JSON.
pub(crate) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    if !is_json(request.headers()) {
        let text = "the body has to be `application/json`";
        return Err(ApiError::new(
            Kind::UnsupportedMedia,
            "UNSUPPORTED_MEDIA_TYPE",
            text,
        ));
    }
    Bytes::from_request(request, state)
        .await
        .map_err(|error| unreadable_body(&error))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// What its bytes say.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return Err(malformed("the body is empty"));
    }
    refuse_nul(body)?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match error.inner().classify() {
            serde_json::error::Category::Data => {
                invalid(field_error(error.path(), &error.inner().to_string()))
            }
            _ => malformed(&error.inner().to_string()),
        })?;
    json.end()
        .map_err(|_| malformed("something follows the JSON value"))?;
    Ok(value)
}

fn malformed(what: &str) -> ApiError {
    ApiError::new(
        Kind::Malformed,
        "MALFORMED_JSON",
        format!("the body is not JSON: {what}"),
    )
}

fn invalid(field: FieldError) -> ApiError {
    ApiError::new(
        Kind::Invalid,
        "INVALID_BODY",
        "a value in the body is not acceptable",
    )
    .with_fields(vec![field])
}

/// PostgreSQL has no text with the NUL character: refused here, it cannot become a fault of ours there.
fn refuse_nul(body: &[u8]) -> Result<(), ApiError> {
    const ESCAPE: &[u8] = b"\\u0000";
    let escaped = |at: usize| body[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let found = body
        .windows(ESCAPE.len())
        .enumerate()
        .any(|(at, bytes)| bytes == ESCAPE && !escaped(at));
    if !found {
        return Ok(());
    }
    Err(invalid(FieldError::new(
        "",
        "NUL_CHARACTER",
        "text must not contain the NUL character",
    )))
}
