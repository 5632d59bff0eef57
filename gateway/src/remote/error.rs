//! Why a service in another process gave no answer.

use std::io;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use plaza_kernel::{Failure, Kind, ServiceName};
use plaza_web::ApiError;

/// A connection that could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot connect")]
    Refused(#[source] io::Error),
    #[error("nobody answers within {0:?}")]
    Silent(Duration),
    #[error("cannot begin to speak HTTP")]
    Handshake(#[source] hyper::Error),
    #[error("all {0} connections to the address are in use")]
    Busy(u16),
}

impl ConnectError {
    /// Whether the address is to blame, not we.
    pub(super) fn speaks_against_address(&self) -> bool {
        !matches!(self, Self::Busy(_))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nothing was sent to anybody.
    #[error("no address of the service takes requests")]
    Unreachable(#[source] Option<ConnectError>),
    /// It was sent, and whether it took effect is not known.
    #[error("the service broke off before it answered")]
    BrokeOff(#[source] hyper::Error),
    /// What came back cannot be passed on.
    #[error("the service answered {0}")]
    Unusable(&'static str),
    /// It was sent, and the route's deadline is over.
    #[error("the service did not answer in time")]
    Late,
}

impl NoAnswer {
    /// For the metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::BrokeOff(_) => "broke_off",
            Self::Unusable(_) => "unusable",
            Self::Late => "late",
        }
    }
}

impl Failure for NoAnswer {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreachable(_) | Self::BrokeOff(_) | Self::Unusable(_) => Kind::Unavailable,
            Self::Late => Kind::DeadlineExceeded,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "UPSTREAM_UNAVAILABLE",
            Self::BrokeOff(_) | Self::Unusable(_) => "UPSTREAM_INTERRUPTED",
            Self::Late => "UPSTREAM_TIMEOUT",
        }
    }

    fn public_text(&self) -> String {
        let text = match self {
            Self::Unreachable(_) => "the service is busy or away; nothing was done, try again",
            Self::BrokeOff(_) | Self::Unusable(_) => {
                "the service broke off; whether it did what was asked is not known"
            }
            Self::Late => "it took too long; whether it is done is not known",
        };
        text.to_owned()
    }
}

/// Who is to blame that a request was not answered by the service.
#[derive(Debug)]
pub(super) enum Failed {
    /// The service or the way to it.
    Service(NoAnswer),
    /// The client, whose body broke off, stalled or was too long.
    Client(ApiError),
}

impl From<NoAnswer> for Failed {
    fn from(error: NoAnswer) -> Self {
        Self::Service(error)
    }
}

impl Failed {
    pub(super) fn into_response(self, service: ServiceName) -> Response {
        match self {
            Self::Client(problem) => problem.into_response(),
            Self::Service(error) => {
                let labels = [("service", service.as_str()), ("reason", error.name())];
                metrics::counter!("plaza_gateway_unanswered_total", &labels).increment(1);
                ApiError::from(error).into_response()
            }
        }
    }
}
