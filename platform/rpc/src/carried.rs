//! What a piece of work hands on to the calls it makes, without every function in between knowing of it.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request};
use plaza_kernel::{Caller, RequestId};
use tokio::time::Instant;

use crate::timeout;

const REQUEST_ID: &str = "x-plaza-request-id";

/// The request that calls are made for, whose it is, and until when it is worth working on.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// The id of the request from outside.
    pub request_id: Option<RequestId>,
    /// When the first caller stops waiting.
    pub deadline: Option<Instant>,
    /// The person that the work is done for. Callees find it in [`crate::Peer`].
    pub caller: Option<Caller>,
}

tokio::task_local! {
    static CARRIED: Carried;
}

/// Runs a piece of work; the calls that it makes carry this on. A task that it spawns does not.
///
/// Work for a person stays that person's: work in it that names nobody goes on in the name of the person there was, and so
/// does work that names a person of another tenant, who is not believed. What a service does by itself in between says
/// so: [`carry_as_service`].
pub fn carry<F: Future>(mut carried: Carried, work: F) -> impl Future<Output = F::Output> {
    if let Some(now) = CARRIED.try_with(|now| now.caller.clone()).ok().flatten() {
        let is_same_scope = |caller: &Caller| caller.scope() == now.scope();
        if !carried.caller.as_ref().is_some_and(is_same_scope) {
            if carried.caller.is_some() {
                tracing::error!("work for a person tried to turn to a person of another tenant");
            }
            carried.caller = Some(now);
        }
    }
    exactly(carried, work)
}

/// Runs a piece of work that a service does by itself, whomever the work around it is for: its calls pass on nobody, and
/// have all rights of the service. So it is for what the person's rights do not decide about.
pub fn carry_as_service<F: Future>(carried: Carried, work: F) -> impl Future<Output = F::Output> {
    let caller = None;
    exactly(Carried { caller, ..carried }, work)
}

/// Runs a piece of work that came in with this, whatever the work around it is.
pub(crate) fn exactly<F: Future>(carried: Carried, work: F) -> impl Future<Output = F::Output> {
    CARRIED.scope(carried, work)
}

/// What the work at hand was told to carry on.
pub fn carried() -> Carried {
    CARRIED.try_with(Clone::clone).unwrap_or_default()
}

impl Carried {
    /// What an incoming call carries; without a deadline of its own it gets the usual one.
    pub(crate) fn of(headers: &HeaderMap, caller: Option<Caller>, usual: Duration) -> Self {
        let request_id = headers
            .get(REQUEST_ID)
            .and_then(|id| id.to_str().ok())
            .and_then(RequestId::parse);
        let timeout = timeout::read(headers).unwrap_or(usual);
        // A timeout beyond the end of the clock is none.
        Self {
            request_id,
            deadline: Instant::now().checked_add(timeout),
            caller,
        }
    }

    /// Writes deadline and request id on an outgoing call and says how long it may take: what the call itself asks
    /// for or the usual time, but never longer than the work at hand has left.
    pub(crate) fn dress<B>(&self, request: &mut Request<B>, usual: Duration) -> Duration {
        let asked = timeout::read(request.headers()).unwrap_or(usual);
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let allowed = left.map_or(asked, |left| left.min(asked));
        timeout::write(request.headers_mut(), allowed);
        let given = request.extensions_mut().remove::<RequestId>();
        let id = given.as_ref().or(self.request_id.as_ref());
        if let Some(value) = id.and_then(|id| HeaderValue::from_str(id.as_str()).ok()) {
            request.headers_mut().insert(REQUEST_ID, value);
        }
        allowed
    }
}
