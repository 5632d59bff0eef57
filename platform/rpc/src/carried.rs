//! What a piece of work hands on to the calls it makes, without every function in between knowing of it.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request};
use plaza_kernel::RequestId;
use tokio::time::Instant;

use crate::timeout;

const REQUEST_ID: &str = "x-plaza-request-id";

/// The request that calls are made for, and until when it is worth working on.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// The id of the request from outside.
    pub request_id: Option<RequestId>,
    /// When the first caller stops waiting.
    pub deadline: Option<Instant>,
}

tokio::task_local! {
    static CARRIED: Carried;
}

/// Runs a piece of work; the calls that it makes carry this on. A task that it spawns does not.
pub fn carry<F: Future>(carried: Carried, work: F) -> impl Future<Output = F::Output> {
    CARRIED.scope(carried, work)
}

/// What the work at hand was told to carry on.
pub fn carried() -> Carried {
    CARRIED.try_with(Clone::clone).unwrap_or_default()
}

impl Carried {
    /// What an incoming call carries; without a deadline of its own it gets the usual one.
    pub(crate) fn of(headers: &HeaderMap, usual: Duration) -> Self {
        let request_id = headers
            .get(REQUEST_ID)
            .and_then(|id| id.to_str().ok())
            .and_then(RequestId::parse);
        let timeout = timeout::read(headers).unwrap_or(usual);
        // A timeout beyond the end of the clock is none.
        Self {
            request_id,
            deadline: Instant::now().checked_add(timeout),
        }
    }

    /// Writes deadline and request id on an outgoing call and says how long it may take: what the call itself asks
    /// for or the usual time, but never longer than the work at hand has left.
    pub(crate) fn dress<B>(request: &mut Request<B>, usual: Duration) -> Duration {
        let carried = carried();
        let asked = timeout::read(request.headers()).unwrap_or(usual);
        let left = carried
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let allowed = left.map_or(asked, |left| left.min(asked));
        timeout::write(request.headers_mut(), allowed);
        let id = request
            .extensions_mut()
            .remove::<RequestId>()
            .or(carried.request_id);
        if let Some(value) = id.and_then(|id| HeaderValue::from_str(id.as_str()).ok()) {
            request.headers_mut().insert(REQUEST_ID, value);
        }
        allowed
    }
}
