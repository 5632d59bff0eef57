//! A collector for traces: OTLP over HTTP with protobuf bodies, as OpenTelemetry's exporters send it
//! (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1 as wire;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

const PROTOBUF: &str = "application/x-protobuf";
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// What the collector does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes it.
    Accept,
    /// Answers 503 without taking it.
    Refuse,
    /// Reads it and never answers.
    Hang,
}

/// A span as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// The span that this one is part of; none if it is the first of its trace.
    pub parent: Option<String>,
    /// What it is called.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: &'static str,
    /// The resource's `service.name`.
    pub service: String,
    /// Its attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// Whether its status says that it failed.
    pub failed: bool,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
}

/// A collector on the loopback address; ends when it is dropped.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    behaviour: watch::Sender<Behaviour>,
    requests: watch::Sender<u64>,
    spans: watch::Sender<Vec<Span>>,
    bodies: Mutex<Vec<Bytes>>,
}

impl Collector {
    /// Starts one that takes everything.
    ///
    /// # Panics
    /// When no port is to be had.
    pub async fn start() -> Self {
        match Self::try_start().await {
            Ok(collector) => collector,
            Err(error) => panic!("no collector for this test: {error}"),
        }
    }

    async fn try_start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behaviour: watch::Sender::new(Behaviour::Accept),
            requests: watch::Sender::new(0),
            spans: watch::Sender::default(),
            bodies: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/traces", post(take))
            .layer(DefaultBodyLimit::max(64 << 20))
            .with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        #[expect(clippy::disallowed_methods, reason = "ends with the collector")]
        tokio::spawn(async move {
            tokio::select! {
                () = stopped => {}
                _ = axum::serve(listener, router) => {}
            }
        });
        Ok(Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    /// `http://127.0.0.1:port`: what `OTEL_EXPORTER_OTLP_ENDPOINT` would be. Exporters add `/v1/traces` to it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Behaves like this from the next request on; those that hang are answered when it accepts or refuses again.
    pub fn set(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// How many requests came, taken or not.
    pub fn requests(&self) -> u64 {
        *self.shared.requests.borrow()
    }

    /// All spans so far, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        self.shared.spans.borrow().clone()
    }

    /// What was sent, as it was sent: more than is in [`Collector::spans`].
    pub fn bodies(&self) -> Vec<Bytes> {
        let bodies = self.shared.bodies.lock();
        bodies.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of one trace, by start.
    pub fn trace(&self, id: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace == id);
        spans.sort_by_key(|span| span.start);
        spans
    }

    /// Waits until the spans are as asked for, and returns them.
    ///
    /// # Panics
    /// When they still are not after a minute, with what there is instead.
    pub async fn wait_for(&self, mut enough: impl FnMut(&[Span]) -> bool) -> Vec<Span> {
        let mut spans = self.shared.spans.subscribe();
        let waiting = spans.wait_for(|spans| enough(spans));
        match tokio::time::timeout(SEEN_WITHIN, waiting).await {
            Ok(Ok(spans)) => spans.clone(),
            _ => panic!("these are not the spans that were waited for:\n{}", self.listed()),
        }
    }

    /// Waits until that many requests came, taken or not.
    ///
    /// # Panics
    /// When there are fewer after a minute.
    pub async fn wait_for_requests(&self, count: u64) {
        let mut requests = self.shared.requests.subscribe();
        let waiting = requests.wait_for(|now| *now >= count);
        let came = tokio::time::timeout(SEEN_WITHIN, waiting).await.is_ok();
        assert!(came, "only {} requests came, not {count}", self.requests());
    }

    fn listed(&self) -> String {
        let line = |span: &Span| {
            let parent = span.parent.as_deref().unwrap_or("nothing");
            format!(
                "{} {} in {parent}: {} of {}\n",
                span.trace, span.id, span.name, span.service
            )
        };
        self.spans().iter().map(line).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Connections that stand are served to their end: not with answers of a collector that is gone.
        self.set(Behaviour::Refuse);
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.requests.send_modify(|requests| *requests += 1);
    let mut behaviour = shared.behaviour.subscribe();
    let settled = behaviour
        .wait_for(|behaviour| *behaviour != Behaviour::Hang)
        .await;
    if settled.is_ok_and(|behaviour| *behaviour == Behaviour::Refuse) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let content_type = headers.get(header::CONTENT_TYPE);
    if content_type.is_none_or(|value| value != PROTOBUF) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    shared
        .bodies
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(body);
    let new = spans(request);
    shared.spans.send_modify(|spans| spans.extend(new));
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    ([(header::CONTENT_TYPE, PROTOBUF)], answer).into_response()
}

fn spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for from in request.resource_spans {
        let resource = attributes(from.resource.unwrap_or_default().attributes);
        let service = resource.get("service.name").cloned().unwrap_or_default();
        let sent = from.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(sent.map(|sent| span(sent, &service)));
    }
    spans
}

fn span(sent: wire::Span, service: &str) -> Span {
    let kind = match sent.kind() {
        wire::span::SpanKind::Server => "server",
        wire::span::SpanKind::Client => "client",
        wire::span::SpanKind::Producer => "producer",
        wire::span::SpanKind::Consumer => "consumer",
        // The specification: unspecified is to be taken as internal.
        wire::span::SpanKind::Internal | wire::span::SpanKind::Unspecified => "internal",
    };
    let status = sent.status.as_ref().map(wire::Status::code);
    Span {
        trace: hex::encode(&sent.trace_id),
        id: hex::encode(&sent.span_id),
        parent: (!sent.parent_span_id.is_empty()).then(|| hex::encode(&sent.parent_span_id)),
        kind,
        service: service.to_owned(),
        failed: status == Some(wire::status::StatusCode::Error),
        start: SystemTime::UNIX_EPOCH + Duration::from_nanos(sent.start_time_unix_nano),
        end: SystemTime::UNIX_EPOCH + Duration::from_nanos(sent.end_time_unix_nano),
        name: sent.name,
        attributes: attributes(sent.attributes),
    }
}

fn attributes(sent: Vec<KeyValue>) -> BTreeMap<String, String> {
    sent.into_iter()
        .map(|attribute| (attribute.key, text(attribute.value)))
        .collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::BytesValue(bytes)) => hex::encode(bytes),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}
