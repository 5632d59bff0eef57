//! Answers that the gateway gives itself.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plaza_contracts::remembered::NotKnown;
use plaza_kernel::Kind;
use plaza_web::ApiError;

use crate::cors::PREFLIGHT;
use crate::table::Methods;

/// Why a request does not go on.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The target or the framing cannot be trusted to mean the same to everybody.
    Malformed(&'static str),
    /// Nothing is there, as far as the public knows.
    NothingHere,
    /// Something is there, for other methods.
    OtherMethod(Methods),
    /// The host names neither the platform nor a tenant.
    UnknownHost,
    /// The operation is not for strangers.
    Unauthenticated,
    /// A token was shown that is not good.
    InvalidToken,
    /// The token is of another tenant than the host.
    TenantMismatch,
    /// The caller's role may not use this.
    Forbidden,
    /// The body is longer than the route accepts.
    TooLarge,
    /// Pages of this origin may not call us.
    Origin,
    /// Somebody who has to be asked does not answer.
    NotKnown(NotKnown),
    /// A browser asks what a page may do.
    Preflight(Methods),
}

impl From<NotKnown> for Refusal {
    fn from(error: NotKnown) -> Self {
        Self::NotKnown(error)
    }
}

impl Refusal {
    fn problem(self) -> ApiError {
        let new = ApiError::new;
        match self {
            Self::Malformed(what) => new(Kind::Malformed, "MALFORMED_TARGET", what),
            Self::UnknownHost => new(
                Kind::NotFound,
                "UNKNOWN_HOST",
                "nobody is at home under this host name",
            ),
            Self::Unauthenticated => new(Kind::Unauthenticated, "UNAUTHENTICATED", "log in first"),
            Self::InvalidToken => new(
                Kind::Unauthenticated,
                "INVALID_TOKEN",
                "the access token is not valid",
            ),
            Self::TenantMismatch => new(
                Kind::Forbidden,
                "TENANT_MISMATCH",
                "the access token is of another tenant than the host",
            ),
            Self::Forbidden => new(
                Kind::Forbidden,
                "FORBIDDEN",
                "this is not for callers of your role",
            ),
            Self::TooLarge => new(
                Kind::TooLarge,
                "BODY_TOO_LARGE",
                "the body is longer than this address accepts",
            ),
            Self::Origin => new(
                Kind::Forbidden,
                "ORIGIN_NOT_ALLOWED",
                "pages of this origin may not call the API",
            ),
            Self::NotKnown(error) => error.into(),
            Self::NothingHere | Self::OtherMethod(_) | Self::Preflight(_) => ApiError::nothing_here(),
        }
    }

    /// One line for the metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NothingHere => "nothing_here",
            Self::OtherMethod(_) => "other_method",
            Self::UnknownHost => "unknown_host",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidToken => "invalid_token",
            Self::TenantMismatch => "tenant_mismatch",
            Self::Forbidden => "forbidden",
            Self::TooLarge => "too_large",
            Self::Origin => "origin",
            Self::NotKnown(_) => "not_known",
            Self::Preflight(_) => "preflight",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        metrics::counter!("plaza_gateway_refused_total", "reason" => self.name()).increment(1);
        match self {
            // Without a body: the outermost layer writes the problem of a bare 405.
            Self::OtherMethod(methods) => (
                StatusCode::METHOD_NOT_ALLOWED,
                [(header::ALLOW, methods.header())],
            )
                .into_response(),
            Self::Preflight(methods) => {
                let allowed = (header::ACCESS_CONTROL_ALLOW_METHODS, methods.header());
                (StatusCode::NO_CONTENT, [allowed], PREFLIGHT).into_response()
            }
            Self::InvalidToken => {
                let mut response = self.problem().into_response();
                // RFC 6750 §3.1.
                let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
            other => other.problem().into_response(),
        }
    }
}
