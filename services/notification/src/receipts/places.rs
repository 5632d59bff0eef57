//! Places for the bodies of callbacks: strangers send bodies too, and only a whole body shows who sent it.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use plaza_kernel::Kind;
use plaza_web::{ApiError, unreadable_body};
use tokio::sync::{Semaphore, SemaphorePermit};

/// So many callbacks of a provider are in memory at a time before it is known that it sent them. It repeats the others.
pub(crate) const AT_ONCE: usize = 16;

/// How long a body may take: a provider's is there at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// Each provider has its own: whoever takes one's places has not taken the other's.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) meta: Semaphore,
    pub(crate) twilio: Semaphore,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            meta: Semaphore::new(AT_ONCE),
            twilio: Semaphore::new(AT_ONCE),
        }
    }
}

/// Reads a body, and keeps its place until the place is dropped.
pub(crate) async fn body(
    places: &Semaphore,
    request: Request,
) -> Result<(Bytes, SemaphorePermit<'_>), ApiError> {
    let place = places.try_acquire().map_err(|_| {
        let text = "too many callbacks at once; repeat it";
        ApiError::new(Kind::Unavailable, "TOO_MANY_CALLBACKS", text)
    })?;
    let read = tokio::time::timeout(PATIENCE, Bytes::from_request(request, &())).await;
    let body = read
        .map_err(|_| {
            ApiError::new(
                Kind::Malformed,
                "BODY_TOO_SLOW",
                "the body did not arrive in time",
            )
        })?
        .map_err(|error| unreadable_body(&error))?;
    Ok((body, place))
}
