//! Errors that know their kind and their stable code, whatever transport carries them.

use std::error::Error;

use serde::{Deserialize, Serialize};

/// What sort of failure it is, apart from any transport. Mapped once to HTTP (`platform/web`) and once to
/// gRPC (`platform/rpc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request cannot be read at all.
    Malformed,
    /// The request can be read, but a value in it is not acceptable.
    Invalid,
    /// Nobody is known to be asking.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// It does not exist, or belongs to another tenant: both answer alike.
    NotFound,
    /// The state of things does not allow it now.
    Conflict,
    /// A precondition that the caller named does not hold.
    PreconditionFailed,
    /// The caller has to name a precondition and named none.
    PreconditionRequired,
    /// More than is accepted.
    TooLarge,
    /// Not in a form that is understood.
    UnsupportedMedia,
    /// Too often.
    Throttled,
    /// Something that is needed is away, or too busy; trying later makes sense.
    Unavailable,
    /// It took longer than the caller is willing to wait.
    DeadlineExceeded,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// Whether the operator, not the caller, has to do something about it.
    pub const fn is_our_fault(self) -> bool {
        matches!(self, Self::Unavailable | Self::DeadlineExceeded | Self::Internal)
    }
}

/// One unacceptable value in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body, or the name of a parameter.
    pub pointer: String,
    /// A stable code, SCREAMING_SNAKE.
    pub code: String,
    /// What is wrong, for a person.
    pub detail: String,
}

impl FieldError {
    /// A field error.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.into(),
            detail: detail.into(),
        }
    }
}

/// How much of something a caller may have, and how much of it is left: the fields of `RateLimit-Policy` and `RateLimit`
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The name of the limit, a token: `login`.
    pub policy: &'static str,
    /// How many are allowed in a window.
    pub quota: u32,
    /// How long a window is.
    pub window_seconds: u32,
    /// How many are left.
    pub remaining: u32,
    /// In how many seconds there are more.
    pub reset_seconds: u32,
}

/// An error of a verb: it knows its kind and its stable code.
pub trait Failure: Error + Send + Sync + 'static {
    /// What sort of failure it is.
    fn kind(&self) -> Kind;

    /// The promise to clients: SCREAMING_SNAKE, never changed once published.
    fn code(&self) -> &'static str;

    /// The values that were not acceptable.
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }

    /// After how many seconds it makes sense to try again.
    fn retry_after(&self) -> Option<u32> {
        matches!(self.kind(), Kind::Unavailable | Kind::DeadlineExceeded).then_some(1)
    }

    /// The limit that was met, where it may be told.
    fn limits(&self) -> Option<Limits> {
        None
    }

    /// What a stranger may read. The text of our own faults stays inside.
    fn public_text(&self) -> String {
        match self.kind() {
            Kind::Internal => "something went wrong on our side".to_owned(),
            Kind::Unavailable => "the service is busy or away; try again".to_owned(),
            Kind::DeadlineExceeded => "it took too long; try again".to_owned(),
            _ => self.to_string(),
        }
    }
}
