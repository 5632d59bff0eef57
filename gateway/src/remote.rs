//! A service in other processes, over HTTP/1.1: the least loaded of its addresses, over connections that are kept.
//!
//! What was not sent is sent elsewhere. What was sent is sent again, once, only if it asks and changes nothing; of
//! everything else nobody knows whether it happened, and the client is told so. Read `Inner::answer` first.

mod answer;
mod budget;
mod connection;
mod error;
mod pool;
mod request;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use plaza_rpc::{Addresses, Chosen, Signer};
use tokio::time::Instant;

use crate::RemoteSettings;
use answer::{Answer, Held};
use budget::RetryBudget;
use connection::{Connection, Lost};
use error::{ConnectError, Failed, NoAnswer};
use pool::Pool;

/// How many addresses one request may find closed.
const ADDRESSES: usize = 3;

/// The way to a service in other processes.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    addresses: Addresses,
    /// By the addresses' places.
    pools: Vec<Pool>,
    signer: Signer,
    settings: RemoteSettings,
    budget: RetryBudget,
}

impl Remote {
    pub(crate) fn new(addresses: Addresses, signer: Signer, settings: RemoteSettings) -> Self {
        Self(Arc::new(Inner {
            pools: (0..addresses.len()).map(|_| Pool::new(&settings)).collect(),
            addresses,
            signer,
            settings,
            budget: RetryBudget::new(),
        }))
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.0.addresses
    }

    /// Closes connections that nobody used for too long.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        for pool in &self.0.pools {
            pool.sweep(now);
        }
    }

    /// Forwards a request; bodies stream both ways. The head of the answer has to be here within `limit`, the time not
    /// counted that the body of the request takes on its way.
    pub(crate) async fn call(&self, request: Request, limit: Duration) -> Response {
        match Inner::answer(&self.0, request, limit).await {
            Ok(response) => response,
            Err(failed) => failed.into_response(self.0.addresses.service()),
        }
    }
}

/// What is known of the way that a request takes.
#[derive(Default)]
struct Way {
    /// Addresses that did not work for this request.
    closed: Vec<usize>,
    /// Why the last one of them did not.
    reason: Option<ConnectError>,
    /// Whether only a new connection will do, because one from before turned out to have ended.
    fresh: bool,
    /// Whether the connection at hand is one from before.
    reused: bool,
}

impl Inner {
    async fn answer(self: &Arc<Self>, request: Request, limit: Duration) -> Result<Response, Failed> {
        self.budget.earn();
        let begun = Instant::now();
        let request = request::dress(request, &self.signer, self.addresses.service());
        let (mut request, patience) = request::watched(request, begun + limit, limit);
        let mut again = request::copy(&request);
        let mut way = Way::default();
        loop {
            let (chosen, mut connection) = self.connect(&mut way, begun, again.is_none()).await?;
            match connection.exchange(request, &patience).await {
                Ok(answer) => {
                    chosen.succeeded();
                    return Ok(self.pass_on(answer, chosen, connection)?);
                }
                // Nobody has seen it, so it may go out again, whatever it is.
                Err(Lost::Unsent(unsent)) => {
                    self.avoid(&mut way, &chosen, true);
                    request = *unsent;
                }
                Err(Lost::Broken(error)) => {
                    self.avoid(&mut way, &chosen, false);
                    let copy = again.take().filter(|_| self.budget.spend());
                    request = copy.ok_or(NoAnswer::BrokeOff(error))?;
                    let service = self.addresses.service().as_str();
                    metrics::counter!("plaza_gateway_retried_total", "service" => service).increment(1);
                }
                Err(Lost::Client(problem)) => return Err(Failed::Client(problem)),
                Err(Lost::Late) => {
                    chosen.failed();
                    return Err(NoAnswer::Late.into());
                }
            }
        }
    }

    /// A connection to the best address that takes one. Nothing is sent yet, so another address is as good.
    async fn connect(
        &self,
        way: &mut Way,
        now: Instant,
        careful: bool,
    ) -> Result<(Chosen, Box<Connection>), NoAnswer> {
        while way.closed.len() < ADDRESSES
            && let Some(chosen) = self.addresses.choose(&way.closed)
        {
            let pool = &self.pools[chosen.index()];
            way.reused = false;
            if !way.fresh
                && let Some(connection) = pool.take(now, careful).await
            {
                way.reused = true;
                return Ok((chosen, connection));
            }
            match pool.connect(chosen.uri()).await {
                Ok(connection) => return Ok((chosen, connection)),
                Err(error) => {
                    if error.speaks_against_address() {
                        chosen.failed();
                    }
                    way.closed.push(chosen.index());
                    way.reason = Some(error);
                }
            }
        }
        Err(NoAnswer::Unreachable(way.reason.take()))
    }

    /// That a connection from before has ended says nothing about its address. If a new one ends, another address is
    /// better, if there is one.
    fn avoid(&self, way: &mut Way, chosen: &Chosen, always: bool) {
        way.fresh = true;
        if way.reused {
            return;
        }
        chosen.failed();
        if always || way.closed.len() + 1 < self.addresses.len() {
            way.closed.push(chosen.index());
        }
    }

    fn pass_on(
        self: &Arc<Self>,
        answer: http::Response<Incoming>,
        chosen: Chosen,
        connection: Box<Connection>,
    ) -> Result<Response, NoAnswer> {
        let (mut parts, body) = answer.into_parts();
        if parts.status.is_informational() {
            return Err(NoAnswer::Unusable("in another protocol"));
        }
        if parts.headers.contains_key(crate::INTERNAL_REFUSED) {
            // To the person it would look as if their own token were no good.
            return Err(NoAnswer::Unusable(
                "that it does not know us: do the internal keys differ?",
            ));
        }
        if !has_an_end(&parts.headers, &body) {
            return Err(NoAnswer::Unusable(
                "with a body whose end cannot be told from its loss",
            ));
        }
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let held = Held {
            remote: Arc::clone(self),
            chosen,
            connection,
        };
        let body = Answer::stream(body, held, self.settings.stream_idle());
        Ok(Response::from_parts(parts, body))
    }
}

/// Whether the end of the body is marked. One that ends with its connection looks whole when it is cut off.
fn has_an_end(headers: &HeaderMap, body: &Incoming) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = encodings
        .next()
        .is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    body.size_hint().exact().is_some() || (is_chunked && encodings.next().is_none())
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.0.addresses).finish()
    }
}
