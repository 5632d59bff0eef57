//! The collector of traces.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use plaza_testkit::otlp::{Behaviour, Collector};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A request with one span.
fn exported(name: &str, id: u8, parent: Option<u8>) -> Vec<u8> {
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![id; 8],
        parent_span_id: parent.map(|id| vec![id; 8]).unwrap_or_default(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: 1_000 - u64::from(id),
        end_time_unix_nano: 2_000,
        attributes: vec![
            attribute("http.request.method", Value::StringValue("GET".into())),
            attribute("http.response.status_code", Value::IntValue(200)),
        ],
        ..Span::default()
    };
    let service = attribute("service.name", Value::StringValue("gateway".into()));
    let from = ResourceSpans {
        resource: Some(Resource {
            attributes: vec![service],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans: vec![span],
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![from],
    }
    .encode_to_vec()
}

/// The status of the answer, or what kept it from coming.
async fn send(collector: &Collector, content_type: &str, body: &[u8]) -> std::io::Result<u16> {
    let address = collector.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /v1/traces HTTP/1.0\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.split(' ').nth(1).unwrap().parse().unwrap())
}

const PROTOBUF: &str = "application/x-protobuf";

#[tokio::test]
async fn spans_are_kept_as_they_were_sent() {
    let collector = Collector::start().await;
    for (name, id, parent) in [("GET /me", 1, None), ("grants", 2, Some(1))] {
        assert_eq!(
            send(&collector, PROTOBUF, &exported(name, id, parent))
                .await
                .unwrap(),
            200
        );
    }
    let spans = collector.wait_for(|spans| spans.len() == 2).await;
    let first = &spans[0];
    assert_eq!(
        (first.name.as_str(), first.service.as_str(), first.kind),
        ("GET /me", "gateway", "server")
    );
    assert_eq!(first.trace, "ab".repeat(16));
    assert_eq!(first.attributes["http.request.method"], "GET");
    assert_eq!(first.attributes["http.response.status_code"], "200");
    assert_eq!(
        first.end.duration_since(first.start).unwrap(),
        Duration::from_nanos(1_001)
    );
    assert_eq!((first.parent.as_deref(), first.failed), (None, false));
    assert_eq!(spans[1].parent.as_ref(), Some(&first.id));
    // By start, and the second began before the first.
    let names: Vec<String> = collector
        .trace(&first.trace)
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert_eq!(names, ["grants", "GET /me"]);
    assert!(collector.trace("00").is_empty());
}

#[tokio::test]
async fn what_is_no_export_is_refused() {
    let collector = Collector::start().await;
    assert_eq!(send(&collector, "application/json", b"{}").await.unwrap(), 415);
    assert_eq!(send(&collector, PROTOBUF, b"no protobuf").await.unwrap(), 400);
    assert_eq!((collector.requests(), collector.spans().len()), (2, 0));
}

#[tokio::test]
async fn it_refuses_and_hangs_when_told() {
    let collector = Collector::start().await;
    collector.set(Behaviour::Refuse);
    let body = exported("GET /me", 1, None);
    assert_eq!(send(&collector, PROTOBUF, &body).await.unwrap(), 503);
    collector.set(Behaviour::Hang);
    let sending = send(&collector, PROTOBUF, &body);
    tokio::pin!(sending);
    tokio::select! {
        answer = &mut sending => panic!("it answers: {answer:?}"),
        () = collector.wait_for_requests(2) => {}
    }
    assert!(collector.spans().is_empty());
    collector.set(Behaviour::Accept);
    assert_eq!(sending.await.unwrap(), 200);
    assert_eq!(collector.spans().len(), 1);
}
