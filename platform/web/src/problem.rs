//! Errors on the wire: `application/problem+json` (RFC 9457) that also carries `error` and `code`.
//!
//! There is no `instance`: an answer to another tenant's id and an answer to a random id are equal to the byte, and
//! `request_id` and `trace_id` already name the occurrence.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use plaza_kernel::{Failure, FieldError, Kind, Limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `https://plaza.invalid/problems/<code in kebab-case>`: names the problem, leads nowhere.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What went wrong, for a person.
    pub detail: String,
    /// The same text again, under the name that older clients read.
    pub error: String,
    /// The stable code, SCREAMING_SNAKE.
    pub code: String,
    /// The request's id, to be quoted when asking for help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The trace that the request is a part of (32 hexadecimal digits), as log lines name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The values that were not acceptable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    fn new(status: StatusCode, code: &str, detail: String, errors: Vec<FieldError>) -> Self {
        Self {
            kind: format!(
                "https://plaza.invalid/problems/{}",
                code.to_ascii_lowercase().replace('_', "-")
            ),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            error: detail.clone(),
            detail,
            code: code.to_owned(),
            request_id: None,
            trace_id: None,
            errors,
        }
    }

    pub(crate) fn to_body(&self) -> Vec<u8> {
        // Cannot fail: strings and a number, no maps with keys of other types.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The problem that a response carries, left in its extensions so that the outermost layer can add the ids of the request
/// and of its trace.
#[derive(Clone)]
pub(crate) struct Carried(pub(crate) Arc<Problem>);

/// The code of the problem that a response carries on its way to the outermost layer; None if it carries none.
pub fn code_of(response: &Response) -> Option<&str> {
    let Carried(problem) = response.extensions().get()?;
    Some(&problem.code)
}

/// An error on its way out. Every [`Failure`] becomes one with `?`.
#[derive(Debug)]
pub struct ApiError {
    kind: Kind,
    code: &'static str,
    text: String,
    fields: Vec<FieldError>,
    retry_after: Option<u32>,
    // Boxed: an error travels in many results, and hardly one has a limit.
    limits: Option<Box<Limits>>,
    // For the two statuses that no kind has: 405 and 408.
    status: Option<StatusCode>,
    // What the log may know and a stranger may not.
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error without a type of its own. The text is public, but for [`Kind::Internal`], where it is only logged.
    pub fn new(kind: Kind, code: &'static str, text: impl Into<String>) -> Self {
        let (text, source) = match kind {
            Kind::Internal => (
                "something went wrong on our side".to_owned(),
                Some(text.into().into()),
            ),
            _ => (text.into(), None),
        };
        let retry_after = matches!(kind, Kind::Unavailable | Kind::DeadlineExceeded).then_some(1);
        Self {
            kind,
            code,
            text,
            fields: Vec::new(),
            retry_after,
            limits: None,
            status: None,
            source,
        }
    }

    /// With the values that were not acceptable.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.fields = fields;
        self
    }

    /// With what the log may know and a stranger may not.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// There is nothing at this address: what an unknown path, a hidden route and an id that is none answer.
    pub fn nothing_here() -> Self {
        Self::new(Kind::NotFound, "NOT_FOUND", "there is nothing at this address")
    }

    pub(crate) fn method_not_allowed() -> Self {
        let error = Self::new(
            Kind::Malformed,
            "METHOD_NOT_ALLOWED",
            "this address does not take this method",
        );
        error.with_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub(crate) fn stalled() -> Self {
        let error = Self::new(
            Kind::Malformed,
            "REQUEST_TIMEOUT",
            "the body did not arrive in time",
        );
        error.with_status(StatusCode::REQUEST_TIMEOUT)
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| status(self.kind))
    }

    // Once, where the failure is handled: as it becomes an answer, inside the request's span.
    fn log(&self) {
        let source = self.source.as_deref().map(Chain);
        let source = source.as_ref().map(tracing::field::display);
        match self.kind {
            Kind::Internal => tracing::error!(code = self.code, source, "request failed"),
            Kind::Unavailable | Kind::DeadlineExceeded => {
                tracing::warn!(code = self.code, source, "request could not be served");
            }
            _ => {}
        }
    }
}

/// An error and what caused it, in one line.
struct Chain<'a>(&'a (dyn Error + Send + Sync));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// The status of a kind. A deadline is a 503: trying later makes sense, and clients retry on nothing else.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Kind::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable | Kind::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl<E: Failure> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self {
            kind: error.kind(),
            code: error.code(),
            text: error.public_text(),
            fields: error.fields(),
            retry_after: error.retry_after(),
            limits: error.limits().map(Box::new),
            status: None,
            source: error
                .kind()
                .is_our_fault()
                .then(|| Box::new(error) as Box<dyn Error + Send + Sync>),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let problem = Problem::new(status, self.code, self.text, self.fields);
        let mut response = Response::new(Body::from(problem.to_body()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(limits) = &self.limits {
            tell(headers, limits);
        }
        response.extensions_mut().insert(Carried(Arc::new(problem)));
        response
    }
}

/// `RateLimit-Policy: "login";q=10;w=60` and `RateLimit: "login";r=0;t=6`.
fn tell(headers: &mut HeaderMap, limits: &Limits) {
    let Limits {
        policy,
        quota,
        window_seconds,
        remaining,
        reset_seconds,
    } = limits;
    let told = [
        (
            "ratelimit-policy",
            format!("\"{policy}\";q={quota};w={window_seconds}"),
        ),
        (
            "ratelimit",
            format!("\"{policy}\";r={remaining};t={reset_seconds}"),
        ),
    ];
    for (name, value) in told {
        // A name of ours that is no header text would be a mistake in our sources; the status still tells.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// The error responses that every operation documents (`utoipa::IntoResponses`).
pub struct ApiErrors;

impl utoipa::IntoResponses for ApiErrors {
    fn responses()
    -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::response::Response>> {
        const DOCUMENTED: [(&str, &str); 9] = [
            ("400", "The request cannot be read."),
            ("401", "Nobody is known to be asking."),
            ("403", "The caller may not do this."),
            ("404", "It does not exist, or belongs to another tenant."),
            ("409", "The state of things does not allow it now."),
            ("422", "A value in the request is not acceptable."),
            ("429", "Too often; see `Retry-After`."),
            ("503", "Busy, away or too slow; see `Retry-After`."),
            ("default", "Any other problem."),
        ];
        DOCUMENTED
            .into_iter()
            .map(|(status, text)| (status.to_owned(), documented(text).into()))
            .collect()
    }
}

/// What an operation that reads `If-Match` documents beside [`ApiErrors`].
pub struct PreconditionErrors;

impl utoipa::IntoResponses for PreconditionErrors {
    fn responses()
    -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::response::Response>> {
        const DOCUMENTED: [(&str, &str); 2] = [
            ("412", "It is not in the version that `If-Match` names."),
            ("428", "`If-Match` is required here."),
        ];
        DOCUMENTED
            .into_iter()
            .map(|(status, text)| (status.to_owned(), documented(text).into()))
            .collect()
    }
}

/// A response with a problem as its body, for the OpenAPI document.
pub(crate) fn documented(description: &str) -> utoipa::openapi::response::Response {
    use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, content)
        .build()
}
