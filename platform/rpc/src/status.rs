//! A failure as a gRPC status: the metadata carry what the status code cannot.

use http::HeaderMap;
use plaza_kernel::{FieldError, Kind};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

pub(crate) const KIND: &str = "plaza-kind";
pub(crate) const CODE: &str = "plaza-code";
pub(crate) const RETRY_AFTER: &str = "plaza-retry-after";
pub(crate) const FIELDS: &str = "plaza-fields-bin";

/// The code of a call in nobody's name, or with a token that proves nothing.
pub(crate) const NOT_TRUSTED: &str = "CALLER_NOT_TRUSTED";

/// More than this does not travel: HTTP/2 header lists are bounded.
const MOST_FIELD_BYTES: usize = 4096;

const KINDS: [(Kind, &str, Code); 14] = [
    (Kind::Malformed, "malformed", Code::InvalidArgument),
    (Kind::Invalid, "invalid", Code::InvalidArgument),
    (Kind::Unauthenticated, "unauthenticated", Code::Unauthenticated),
    (Kind::Forbidden, "forbidden", Code::PermissionDenied),
    (Kind::NotFound, "not_found", Code::NotFound),
    (Kind::Conflict, "conflict", Code::FailedPrecondition),
    (
        Kind::PreconditionFailed,
        "precondition_failed",
        Code::FailedPrecondition,
    ),
    (
        Kind::PreconditionRequired,
        "precondition_required",
        Code::FailedPrecondition,
    ),
    (Kind::TooLarge, "too_large", Code::ResourceExhausted),
    (Kind::UnsupportedMedia, "unsupported_media", Code::InvalidArgument),
    (Kind::Throttled, "throttled", Code::ResourceExhausted),
    (Kind::Unavailable, "unavailable", Code::Unavailable),
    (
        Kind::DeadlineExceeded,
        "deadline_exceeded",
        Code::DeadlineExceeded,
    ),
    (Kind::Internal, "internal", Code::Internal),
];

/// The kind that the callee wrote.
pub(crate) fn kind(metadata: &MetadataMap) -> Option<Kind> {
    let name = metadata.get(KIND)?.to_str().ok()?;
    KINDS
        .iter()
        .find(|(_, known, _)| *known == name)
        .map(|(kind, _, _)| *kind)
}

/// How a call ended, as the head of its answer tells: `ok`, a kind, or `other` for a status that is not ours.
pub(crate) fn outcome(headers: &HeaderMap) -> &'static str {
    if headers.get("grpc-status").is_none_or(|code| code == "0") {
        return "ok";
    }
    let name = headers.get(KIND).and_then(|name| name.to_str().ok());
    KINDS
        .iter()
        .find(|(_, known, _)| Some(*known) == name)
        .map_or("other", |(_, known, _)| *known)
}

/// The number of the status, as far as the head of an answer says: what comes to its end without a fault is 0.
pub(crate) fn number(headers: &HeaderMap) -> i64 {
    let code = headers.get("grpc-status").and_then(|code| code.to_str().ok());
    code.and_then(|code| code.parse().ok()).unwrap_or_default()
}

/// A status of a kind with a code and a text that a stranger may read.
pub(crate) fn status(kind: Kind, code: &'static str, text: impl Into<String>) -> Status {
    let (name, grpc) = KINDS
        .iter()
        .find(|(known, _, _)| *known == kind)
        .map_or(("internal", Code::Internal), |(_, name, grpc)| (*name, *grpc));
    let mut metadata = MetadataMap::with_capacity(4);
    metadata.insert(KIND, MetadataValue::from_static(name));
    // A code that is not ASCII is a mistake in our sources; the kind still travels.
    if let Ok(code) = MetadataValue::try_from(code) {
        metadata.insert(CODE, code);
    }
    Status::with_metadata(grpc, text, metadata)
}

/// The answer of a service that cannot be reached.
pub(crate) fn unavailable() -> Status {
    status(
        Kind::Unavailable,
        "SERVICE_UNAVAILABLE",
        "the service cannot be reached",
    )
}

/// The answer to a call that nobody waits for any more.
pub(crate) fn deadline_exceeded() -> Status {
    status(
        Kind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "the call took too long",
    )
}

/// The answer to a call in nobody's name, or with a token that proves nothing.
pub(crate) fn untrusted() -> Status {
    status(
        Kind::Unauthenticated,
        NOT_TRUSTED,
        "the calling service is not known",
    )
}

/// Adds the fields that were not acceptable, as far as they fit.
pub(crate) fn add_fields(status: &mut Status, fields: &[FieldError]) {
    if fields.is_empty() {
        return;
    }
    if let Ok(json) = serde_json::to_vec(fields)
        && json.len() <= MOST_FIELD_BYTES
    {
        status
            .metadata_mut()
            .insert_bin(FIELDS, MetadataValue::from_bytes(&json));
    }
}

/// The fields that the callee wrote.
pub(crate) fn fields(metadata: &MetadataMap) -> Vec<FieldError> {
    let bytes = metadata.get_bin(FIELDS).and_then(|value| value.to_bytes().ok());
    bytes
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_crosses_and_comes_back() {
        for (expected, _, _) in KINDS {
            let status = status(expected, "SOME_CODE", "text");
            assert_eq!(kind(status.metadata()), Some(expected));
        }
    }
}
