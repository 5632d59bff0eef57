//! What the request's target says: path and query parameters.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use http::request::Parts;
use plaza_kernel::{FieldError, Kind};
use serde::de::DeserializeOwned;

use super::fields::field_error;
use crate::ApiError;

/// Path parameters; one that does not parse answers 404, as an id that does not exist would.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

/// Query parameters; 422 `INVALID_QUERY`.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // No id or name of ours has a NUL character, and PostgreSQL could not even be asked for one.
        if parts.uri.path().contains("%00") {
            return Err(ApiError::nothing_here());
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) if is_a_defect(&rejection) => {
                Err(ApiError::new(Kind::Internal, "INTERNAL", rejection.body_text()))
            }
            Err(_) => Err(ApiError::nothing_here()),
        }
    }
}

/// Whether handler and route disagree about the parameters, whatever the client sent.
fn is_a_defect(rejection: &PathRejection) -> bool {
    match rejection {
        PathRejection::FailedToDeserializePathParams(error) => {
            matches!(
                error.kind(),
                ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. }
            )
        }
        _ => true,
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("%00") {
            return Err(invalid(FieldError::new(
                "",
                "NUL_CHARACTER",
                "text must not contain the NUL character",
            )));
        }
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| {
                let mut field = field_error(error.path(), &error.inner().to_string());
                // A parameter has a name, not a place in a body.
                field.pointer = field.pointer.trim_start_matches('/').to_owned();
                invalid(field)
            })
    }
}

/// A query parameter that is not acceptable.
pub(super) fn invalid(field: FieldError) -> ApiError {
    let text = "a query parameter is not acceptable";
    ApiError::new(Kind::Invalid, "INVALID_QUERY", text).with_fields(vec![field])
}
