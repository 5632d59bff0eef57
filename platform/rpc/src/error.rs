//! Failures across a service boundary.

use plaza_kernel::{Failure, FieldError, Kind};
use tonic::{Code, Status};

use crate::{code, status};

/// A failure of a call to another service: the callee's kind and code, never its internals.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    kind: Kind,
    code: &'static str,
    message: String,
    fields: Vec<FieldError>,
    retry_after: Option<u32>,
}

impl RpcError {
    /// The code that the callee gave.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    fn unreachable() -> Self {
        Self::of_transport(
            Kind::Unavailable,
            "SERVICE_UNAVAILABLE",
            "the service cannot be reached",
        )
    }

    /// A failure without a callee behind it.
    fn of_transport(kind: Kind, code: &'static str, message: &str) -> Self {
        Self {
            kind,
            code,
            message: message.to_owned(),
            fields: Vec::new(),
            retry_after: None,
        }
    }
}

impl Failure for RpcError {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn code(&self) -> &'static str {
        self.code
    }

    fn fields(&self) -> Vec<FieldError> {
        self.fields.clone()
    }

    fn retry_after(&self) -> Option<u32> {
        let usual = matches!(self.kind, Kind::Unavailable | Kind::DeadlineExceeded).then_some(1);
        self.retry_after.or(usual)
    }
}

impl From<Status> for RpcError {
    fn from(status: Status) -> Self {
        let metadata = status.metadata();
        if let Some(kind) = status::kind(metadata) {
            let text = |name| metadata.get(name).and_then(|value| value.to_str().ok());
            let code = code::intern(text(status::CODE).unwrap_or_default());
            if code == status::NOT_TRUSTED {
                // It is this process that the callee does not know, not the person that we work for.
                tracing::error!(
                    "the called service does not trust this one: do their internal keys belong together?"
                );
                return Self::unreachable();
            }
            return Self {
                kind,
                code,
                message: status.message().to_owned(),
                fields: status::fields(metadata),
                retry_after: text(status::RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
            };
        }
        // No service of ours wrote this: the transport did, or a callee that is broken.
        match status.code() {
            Code::DeadlineExceeded => Self::of_transport(
                Kind::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                "the call took too long",
            ),
            Code::OutOfRange => {
                Self::of_transport(Kind::TooLarge, "MESSAGE_TOO_LARGE", "the message is too large")
            }
            other => {
                tracing::warn!(status = ?other, text = status.message(), "call did not reach its service");
                Self::unreachable()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the inside of it: password of the database")]
    struct Inside;

    impl Failure for Inside {
        fn kind(&self) -> Kind {
            Kind::Internal
        }

        fn code(&self) -> &'static str {
            "INSIDE"
        }
    }

    #[test]
    fn internals_stay_with_the_callee() {
        let status = crate::answer::<(), _>(Err(Inside)).unwrap_err();
        assert!(!format!("{status:?}").contains("password"));
        let error = RpcError::from(status);
        assert_eq!((error.kind(), error.code()), (Kind::Internal, "INSIDE"));
    }

    #[test]
    fn what_the_transport_says_is_unavailable() {
        for status in [
            Status::unknown("h2"),
            Status::unavailable("refused"),
            Status::cancelled("reset"),
        ] {
            let error = RpcError::from(status);
            assert!(error.is("SERVICE_UNAVAILABLE"));
            assert_eq!(error.kind(), Kind::Unavailable);
            assert_eq!(error.retry_after(), Some(1));
        }
        assert_eq!(
            RpcError::from(Status::deadline_exceeded("")).kind(),
            Kind::DeadlineExceeded
        );
    }
}
