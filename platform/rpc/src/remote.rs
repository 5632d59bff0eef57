//! A callee at its addresses, over HTTP/2.

mod answer;
mod link;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use plaza_telemetry::trace;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tracing::{Instrument, Span, field};

use crate::callee::{TRACEPARENT, names, span_name, within};
use crate::message_limit::MessageLimit;
use crate::{Addresses, Chosen, INTERNAL_TOKEN, RpcSettings, status, timeout};
use answer::Answer;
use link::Link;

/// The addresses of one service, with a connection to each once it was chosen.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Inner>);

struct Inner {
    addresses: Addresses,
    links: Box<[Link]>,
    settings: RpcSettings,
}

/// Why an attempt gave no answer.
enum Lost {
    /// There was no connection: the call was certainly not sent.
    NoConnection,
    /// The connection ended before the callee took the call up: it was certainly not worked on.
    NotTaken,
    /// The call may have been worked on.
    Broken,
    /// No answer until the deadline.
    Late,
}

impl Lost {
    fn name(&self) -> &'static str {
        match self {
            Self::NoConnection => "no_connection",
            Self::NotTaken => "not_taken",
            Self::Broken => "broken",
            Self::Late => "late",
        }
    }
}

impl Remote {
    /// Connects when first called, and again whenever a connection was lost.
    pub(crate) fn new(addresses: Addresses, settings: RpcSettings) -> Self {
        let links = addresses.uris().filter_map(Link::new).collect();
        Self(Arc::new(Inner {
            addresses,
            links,
            settings,
        }))
    }

    /// Calls, with a token if there is one, and waits for the answer no longer than it may take.
    pub(crate) async fn call(
        self,
        request: Request<Body>,
        token: Option<HeaderValue>,
        allowed: Duration,
    ) -> Response<Body> {
        let (service, method) = names(request.uri().path());
        let span = tracing::info_span!(
            "rpc.client",
            rpc.system = "grpc",
            rpc.service = service,
            rpc.method = method,
            rpc.grpc.status_code = field::Empty,
            otel.name = span_name(request.uri().path()),
            otel.kind = "client",
            otel.status_code = field::Empty,
        );
        let deadline = Instant::now().checked_add(allowed);
        let call = async move {
            match self.question(request, token, deadline).await {
                Ok(question) => self.ask(&question, deadline).await,
                Err(refusal) => refusal.into_http(),
            }
        };
        let answer = call.instrument(span.clone()).await;
        span.record("rpc.grpc.status_code", status::number(answer.headers()));
        answer
    }

    /// The call as it can be sent, and sent again. Calls have one message: the contracts know no streams of questions.
    async fn question(
        &self,
        request: Request<Body>,
        token: Option<HeaderValue>,
        deadline: Option<Instant>,
    ) -> Result<Question, Status> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.clear();
        parts.headers.remove(INTERNAL_TOKEN);
        if let Some(token) = token {
            parts.headers.insert(INTERNAL_TOKEN, token);
        }
        let traceparent = trace::current().map(|context| context.to_traceparent());
        if let Some(value) = traceparent.and_then(|text| HeaderValue::try_from(text).ok()) {
            parts.headers.insert(TRACEPARENT, value);
        }
        let body = MessageLimit::of_request(body, self.0.settings.message);
        match within(deadline, body.collect()).await {
            Some(body) => Ok(Question {
                parts,
                message: body?.to_bytes(),
            }),
            None => Err(status::deadline_exceeded()),
        }
    }

    /// Asks once; and once more, preferably at another address, when the call was certainly not taken up.
    async fn ask(&self, question: &Question, deadline: Option<Instant>) -> Response<Body> {
        let Some(first) = self.0.addresses.choose(&[]) else {
            return status::unavailable().into_http();
        };
        let tried = [first.index()];
        let lost = match self.attempt(first, question, deadline).await {
            Ok(answer) => return answer,
            Err(lost) => lost,
        };
        let second = match lost {
            Lost::NoConnection => self.0.addresses.choose(&tried),
            Lost::NotTaken => self
                .0
                .addresses
                .choose(&tried)
                .or_else(|| self.0.addresses.choose(&[])),
            Lost::Broken | Lost::Late => None,
        };
        let service = self.0.addresses.service().as_str();
        let lost = match second {
            Some(second) => {
                metrics::counter!("plaza_rpc_retried_total", "service" => service).increment(1);
                match self.attempt(second, question, deadline).await {
                    Ok(answer) => return answer,
                    Err(lost) => lost,
                }
            }
            None => lost,
        };
        let labels = [("service", service), ("reason", lost.name())];
        metrics::counter!("plaza_rpc_unanswered_total", &labels).increment(1);
        Span::current().record("otel.status_code", "ERROR");
        match lost {
            Lost::Late => status::deadline_exceeded().into_http(),
            Lost::NoConnection | Lost::NotTaken | Lost::Broken => status::unavailable().into_http(),
        }
    }

    async fn attempt(
        &self,
        chosen: Chosen,
        question: &Question,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, Lost> {
        let Some(link) = self.0.links.get(chosen.index()) else {
            return Err(Lost::NoConnection);
        };
        // Half of what is left, so that another address still has its turn.
        let patience = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()) / 2);
        let Some(mut open) = link.sender(patience).await else {
            chosen.failed();
            return Err(Lost::NoConnection);
        };
        let begun = Instant::now();
        let sent = open
            .sender
            .try_send_request(question.at(link.authority(), deadline));
        match within(deadline, sent).await {
            Some(Ok(answer)) => {
                chosen.succeeded();
                Ok(self.answer(answer, chosen, deadline))
            }
            Some(Err(mut error)) => {
                let was_sent = error.take_message().is_none();
                let error = error.into_error();
                if !was_sent || was_refused(&error) {
                    // It may not know yet that it is over, and be taken for the second try.
                    link.forget(&open);
                    return Err(Lost::NotTaken);
                }
                tracing::warn!(address = %chosen.uri(), error = &error as &dyn Error, "connection broke during a call");
                chosen.failed();
                Err(Lost::Broken)
            }
            None => {
                // Short deadlines say nothing about the address; silence for longer than it takes to be ready does.
                if begun.elapsed() >= self.0.addresses.settings().timeout {
                    link.forget(&open);
                    chosen.failed();
                }
                Err(Lost::Late)
            }
        }
    }

    fn answer(
        &self,
        answer: Response<Incoming>,
        chosen: Chosen,
        deadline: Option<Instant>,
    ) -> Response<Body> {
        let limit = self.0.settings.message;
        answer.map(|body| {
            let limited = MessageLimit::of_response(Body::new(body), limit);
            Body::new(Answer::new(Body::new(limited), chosen, deadline))
        })
    }
}

/// A call that can be sent more than once.
struct Question {
    parts: Parts,
    message: Bytes,
}

impl Question {
    /// As it goes to an address, with the time that is left now.
    fn at(&self, authority: &Authority, deadline: Option<Instant>) -> Request<Full<Bytes>> {
        let mut request = Request::from_parts(self.parts.clone(), Full::new(self.message.clone()));
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(authority.clone()));
        // Both halves were addresses before; what cannot be put together is answered as unknown by the callee.
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            timeout::write(request.headers_mut(), left);
        }
        request
    }
}

/// Whether the callee said that it did not take the call up: RFC 9113, sections 6.8 and 8.7.
fn was_refused(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let is_gone = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && is_gone;
        }
        cause = error.source();
    }
    false
}
