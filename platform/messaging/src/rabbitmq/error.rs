//! What can go wrong with the broker.

use std::sync::Arc;
use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use plaza_kernel::{Failure, Kind};

/// Something went wrong with the broker.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RabbitMqError {
    /// The URL is none. It is not repeated: it has a password.
    #[error("this is no address of a broker; one is amqp://user:password@host:port/vhost, or amqps://…")]
    Address,
    /// It cannot be reached, or the connection broke.
    #[error("the broker is away")]
    Away(#[source] Arc<lapin::Error>),
    /// It was away a moment ago, and is tried again later.
    #[error("the broker is away, as it was a moment ago: {0}")]
    StillAway(String),
    /// It takes nothing for now: it has no memory or disk left.
    #[error("the broker is blocked: it has no memory or disk left")]
    Blocked,
    /// It did not confirm in time.
    #[error("the broker did not confirm in time")]
    Unconfirmed,
    /// It did not answer in time.
    #[error("the broker did not answer in time")]
    Silent,
    /// It refused a message: a queue is full.
    #[error("the broker refused the message: a queue is full")]
    Full,
    /// It has no queue for the message.
    #[error("the broker has no queue for it: {0}")]
    Unroutable(String),
    /// Something exists with other arguments than it is declared with.
    #[error(
        "{name} exists on the broker, but not as it has to be; remove it when it is empty, or set it up as before: {said}"
    )]
    Different {
        /// The exchange or queue.
        name: String,
        /// What the broker said.
        said: String,
    },
    /// There is no such queue.
    #[error("there is no queue {0}")]
    NoSuchQueue(String),
}

impl RabbitMqError {
    pub(crate) fn away(error: lapin::Error) -> Self {
        Self::Away(Arc::new(error))
    }

    /// What the broker answers, or that it did not do so in time: a question that was put while the connection broke may
    /// never be answered, not even with an error.
    pub(crate) async fn in_time<T>(
        limit: Duration,
        answer: impl Future<Output = Result<T, Self>>,
    ) -> Result<T, Self> {
        tokio::time::timeout(limit, answer)
            .await
            .unwrap_or(Err(Self::Silent))
    }

    /// Whether the broker has no such exchange or queue.
    pub(crate) fn says_not_found(error: &lapin::Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::ProtocolError(said)
                if *said.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)
        )
    }

    /// The broker's answer to the declaration of something.
    pub(crate) fn declaring(name: &str, error: lapin::Error) -> Self {
        let said = match error.kind() {
            ErrorKind::ProtocolError(said)
                if matches!(
                    said.kind(),
                    AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::RESOURCELOCKED)
                ) =>
            {
                said.get_message().to_string()
            }
            _ => return Self::away(error),
        };
        Self::Different {
            name: name.to_owned(),
            said,
        }
    }
}

impl Failure for RabbitMqError {
    fn kind(&self) -> Kind {
        match self {
            Self::Away(_) | Self::StillAway(_) | Self::Blocked | Self::Unconfirmed | Self::Silent => {
                Kind::Unavailable
            }
            Self::Full => Kind::Throttled,
            Self::NoSuchQueue(_) => Kind::NotFound,
            Self::Different { .. } => Kind::Conflict,
            Self::Address | Self::Unroutable(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Address => "BROKER_ADDRESS",
            Self::Away(_) | Self::StillAway(_) | Self::Blocked | Self::Unconfirmed | Self::Silent => {
                "BROKER_AWAY"
            }
            Self::Full => "QUEUE_FULL",
            Self::Unroutable(_) => "UNROUTABLE",
            Self::Different { .. } => "TOPOLOGY_DIFFERS",
            Self::NoSuchQueue(_) => "QUEUE_NOT_FOUND",
        }
    }
}
