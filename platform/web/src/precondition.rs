//! Changes that know what they change: `ETag` and `If-Match` (RFC 9110 §8.8.3, §13.1.1) over the version of a row.

use std::fmt;

use axum::extract::FromRequestParts;
use http::header::{ETAG, IF_MATCH};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use plaza_kernel::Kind;
use utoipa::IntoParams;

use crate::ApiError;

/// The version of something: it rises with every change. As an entity tag it reads `"v7"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub i64);

impl Version {
    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    // Exactly what `Display` writes: no sign, no leading zero.
    fn parse(tag: &str) -> Option<Self> {
        let number = tag.strip_prefix("\"v")?.strip_suffix('"')?;
        let version = Self(number.parse().ok()?);
        (version.to_string() == tag).then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"v{}\"", self.0)
    }
}

/// The header that tells a client which version it was given: `([etag(version)], Json(view))`.
pub fn etag(version: Version) -> (HeaderName, HeaderValue) {
    // Always header text: `"v`, digits and `"`.
    let value = HeaderValue::try_from(version.to_string());
    (ETAG, value.unwrap_or_else(|_| HeaderValue::from_static("\"v0\"")))
}

/// The version that a change is meant for; none if the client did not say, or said `*`: any.
///
/// 400 `MALFORMED_IF_MATCH` for what is no entity tag, or more than one; 412 `VERSION_MISMATCH` for one that we never gave,
/// weak ones among them: they match nothing (RFC 9110 §13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Option<Version>);

impl IfMatch {
    /// Where a change without a version would undo somebody else's unseen.
    ///
    /// # Errors
    /// 428 `IF_MATCH_REQUIRED` when the client named no version.
    pub fn required(self) -> Result<Version, ApiError> {
        self.0.ok_or_else(|| {
            ApiError::new(
                Kind::PreconditionRequired,
                "IF_MATCH_REQUIRED",
                "name the version that you change: `If-Match` with the `ETag` that you were given",
            )
        })
    }

    /// Whether a change of this version is meant.
    pub fn admits(self, current: Version) -> bool {
        self.0.is_none_or(|wanted| wanted == current)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        match text.map(str::trim) {
            Some("*") => Ok(Self(None)),
            Some(tag) if is_tag(tag.strip_prefix("W/").unwrap_or(tag)) => match Version::parse(tag) {
                Some(version) => Ok(Self(Some(version))),
                None => Err(mismatch()),
            },
            _ => Err(ApiError::new(
                Kind::Malformed,
                "MALFORMED_IF_MATCH",
                "`If-Match` is one entity tag: `\"v7\"`",
            )),
        }
    }
}

/// `"…"` without a quote inside.
fn is_tag(text: &str) -> bool {
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.is_some_and(|inside| !inside.contains('"'))
}

fn mismatch() -> ApiError {
    ApiError::new(
        Kind::PreconditionFailed,
        "VERSION_MISMATCH",
        "it was changed meanwhile; read it again",
    )
}

/// `If-Match` in the OpenAPI document: `params(IfMatchParams)`, beside
/// [`PreconditionErrors`](crate::PreconditionErrors) among the responses.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive only")]
pub struct IfMatchParams {
    /// The `ETag` of what is changed: the change is refused when it was changed meanwhile.
    #[param(rename = "If-Match", value_type = Option<String>, example = "\"v7\"")]
    if_match: Option<String>,
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use http::StatusCode;

    use super::*;

    async fn read(tags: &[&str]) -> Result<IfMatch, (StatusCode, &'static str)> {
        let mut request = Request::put("/");
        for tag in tags {
            request = request.header(IF_MATCH, *tag);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let read = IfMatch::from_request_parts(&mut parts, &()).await;
        read.map_err(|error| (error.status(), error.code()))
    }

    #[tokio::test]
    async fn a_tag_that_was_given_comes_back() {
        for version in [1, 7, i64::MAX].map(Version) {
            let (_, tag) = etag(version);
            let read = read(&[tag.to_str().unwrap()]).await.unwrap();
            assert_eq!(read, IfMatch(Some(version)));
            assert!(read.admits(version));
            assert!(!read.admits(Version(2)));
        }
    }

    #[tokio::test]
    async fn without_a_version_every_version_is_meant_unless_one_is_required() {
        for none in [&[][..], &["*"]] {
            let read = read(none).await.unwrap();
            assert!(read.admits(Version(3)));
            let refused = read.required().unwrap_err();
            assert_eq!(refused.status(), StatusCode::PRECONDITION_REQUIRED);
            assert_eq!(refused.code(), "IF_MATCH_REQUIRED");
        }
    }

    #[tokio::test]
    async fn a_tag_that_was_never_given_matches_nothing() {
        for tag in [
            "W/\"v7\"",
            "\"7\"",
            "\"v07\"",
            "\"v+7\"",
            "\"v\"",
            "\"\"",
            "\"v99999999999999999999\"",
            "\"V7\"",
        ] {
            let refused = (StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
            assert_eq!(read(&[tag]).await, Err(refused), "{tag}");
        }
    }

    #[tokio::test]
    async fn what_is_no_tag_or_two_is_malformed() {
        let malformed = Err((StatusCode::BAD_REQUEST, "MALFORMED_IF_MATCH"));
        for tags in [
            &["v7"][..],
            &["\"v7\", \"v8\""],
            &["\"v7"],
            &[""],
            &["\"v7\"", "\"v7\""],
        ] {
            assert_eq!(read(tags).await, malformed, "{tags:?}");
        }
    }
}
