//! A process with a collector: what arrives, and what a bad collector cannot do.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use plaza_telemetry::trace::{self, TraceContext};
use plaza_telemetry::{Telemetry, TelemetrySettings, init_for};

use crate::collector::{Collector, Received};
use crate::process::{Child, collector};

const CAME_IN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A process that ends in time, whatever its collector does.
const IN_TIME: Duration = Duration::from_secs(6);

fn settings(collector: String) -> TelemetrySettings {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    TelemetrySettings {
        filter: "warn".to_owned(),
        otlp_endpoint: Some(collector),
        otlp_headers: Some("authorization=Bearer%20secret".into()),
        service_name: "plaza-test".to_owned(),
        ..TelemetrySettings::default()
    }
}

/// Tells the parent about the counters.
fn end(telemetry: &Telemetry) {
    let begun = Instant::now();
    telemetry.shutdown();
    println!("\nshutdown {}", begun.elapsed().as_millis());
    let text = telemetry.render();
    for line in text.lines().filter(|line| line.starts_with("plaza_trace")) {
        println!("{line}");
    }
}

fn attributes(of: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        other => format!("{other:?}"),
    };
    of.iter().map(|pair| (pair.key.as_str(), text(pair))).collect()
}

fn spans(received: &Received) -> Vec<&Span> {
    let resources = received.traces.resource_spans.iter();
    resources
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn spans_arrive_with_their_trace_their_fields_and_their_process() {
    let collector = Collector::start(&[]);
    let ended = Child::of("export::a_request")
        .with_collector(&collector.url)
        .run();
    assert!(ended.good, "{}", ended.stderr);
    let received = collector.next();

    assert_eq!(received.head[0], "POST /v1/traces HTTP/1.1");
    let head = received.head.join("\n").to_lowercase();
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    assert!(head.contains("authorization: bearer secret"), "{head}");
    let resource = received.traces.resource_spans[0].resource.as_ref().unwrap();
    let process = attributes(&resource.attributes);
    assert_eq!(process["service.name"], "plaza-test");
    assert_eq!(process["service.version"], plaza_telemetry::VERSION.version);
    assert_eq!(process["plaza.duty"], "serve");

    let spans = spans(&received);
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["step", "request POST /things/{id}", "alone"]);
    let (step, request, alone) = (spans[0], spans[1], spans[2]);
    for span in [step, request] {
        assert_eq!(hexadecimal(&span.trace_id), CAME_IN[3..35]);
    }
    assert_eq!(hexadecimal(&request.parent_span_id), CAME_IN[36..52]);
    assert_eq!(step.parent_span_id, request.span_id);
    assert!(
        ended
            .stdout
            .contains(&format!("sent on {}", hexadecimal(&step.span_id))),
        "{}",
        ended.stdout
    );
    assert_ne!(alone.trace_id, request.trace_id);
    assert!(alone.parent_span_id.is_empty());
    assert_eq!(hexadecimal(&alone.links[0].span_id), CAME_IN[36..52]);

    let fields = attributes(&request.attributes);
    assert_eq!(fields["request_id"], "r-1");
    assert_eq!(fields["status"], "IntValue(503)");
    assert!(!fields.keys().any(|name| name.starts_with("otel.")), "{fields:?}");
    // `SPAN_KIND_SERVER`, `SPAN_KIND_INTERNAL`; `STATUS_CODE_ERROR`.
    assert_eq!((request.kind, step.kind), (2, 1));
    assert_eq!(request.status.as_ref().unwrap().code, 2);
    assert_eq!(step.status.as_ref().map_or(0, |status| status.code), 2);
    assert!(request.end_time_unix_nano - request.start_time_unix_nano >= 20_000_000);
    assert!(step.end_time_unix_nano <= request.end_time_unix_nano);

    assert!(
        ended.stdout.contains("plaza_trace_spans_exported_total 3"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("plaza_trace_spans_dropped_total 0"),
        "{}",
        ended.stdout
    );
    assert!(collector.rest().is_empty());
}

#[test]
#[ignore = "runs in a process of its own"]
fn a_request() {
    let Some(url) = collector() else { return };
    let telemetry = init_for(&settings(url), "serve").unwrap();
    let request = tracing::info_span!(
        target: "plaza_web", "request", request_id = "r-1", method = "POST", otel.kind = "server",
        route = tracing::field::Empty, status = tracing::field::Empty, otel.status_code = tracing::field::Empty,
    );
    trace::follow(&request, TraceContext::parse(CAME_IN));
    assert!(trace::is_exported(&request));
    request.in_scope(|| {
        let _foreign = tracing::error_span!(target: "hyper", "connection").entered();
        let step = tracing::info_span!(target: "plaza_broadcast::plan", "step").entered();
        let _fine = tracing::debug_span!(target: "plaza_broadcast::plan", "fine").entered();
        tracing::error!(target: "plaza_broadcast::plan", "it failed");
        let here = trace::current().unwrap().to_traceparent();
        println!("\nsent on {}", &here[36..52]);
        drop(step);
        std::thread::sleep(Duration::from_millis(20));
    });
    request.record("status", 503);
    request.record("route", "/things/{id}");
    request.record("otel.status_code", "error");
    drop(request);
    let unsampled = tracing::info_span!(target: "plaza_web", "unsampled");
    trace::follow(&unsampled, TraceContext::parse(&CAME_IN.replace("-01", "-00")));
    assert!(!trace::is_exported(&unsampled));
    unsampled.in_scope(|| tracing::info_span!(target: "plaza_web", "inside the unsampled").in_scope(|| ()));
    drop(unsampled);
    let alone = tracing::info_span!(target: "plaza_worker", "alone");
    trace::link(&alone, TraceContext::parse(CAME_IN).unwrap());
    drop(alone);
    end(&telemetry);
}

#[test]
fn spans_leave_while_the_process_goes_on() {
    let collector = Collector::start(&[]);
    let child = Child::of("export::a_long_life").with_collector(&collector.url);
    let running = std::thread::spawn(move || child.run());
    assert_eq!(spans(&collector.next())[0].name, "early");
    std::net::TcpStream::connect(collector.url.trim_start_matches("http://")).unwrap();
    assert!(running.join().unwrap().good);
}

#[test]
#[ignore = "runs in a process of its own"]
fn a_long_life() {
    let Some(url) = collector() else { return };
    let telemetry = init_for(&settings(url), "serve").unwrap();
    tracing::info_span!(target: "plaza_web", "early").in_scope(|| ());
    // Until what was sent is counted; nobody asked for the end yet.
    let sent = || telemetry.render().contains("plaza_trace_spans_exported_total 1");
    let begun = Instant::now();
    while !sent() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    telemetry.shutdown();
}

#[test]
fn a_batch_that_was_not_taken_is_offered_again() {
    let collector = Collector::start(&[503]);
    let ended = Child::of("export::a_long_life")
        .with_collector(&collector.url)
        .run();
    assert!(ended.good, "{}", ended.stderr);
    let (refused, taken) = (collector.next(), collector.next());
    assert_eq!(spans(&refused), spans(&taken));
    assert!(ended.stdout.contains("traces are not taken") || ended.stderr.contains("traces are not taken"));
}

#[test]
fn a_sample_of_the_traces_is_whole() {
    let collector = Collector::start(&[]);
    let ended = Child::of("export::a_sample").with_collector(&collector.url).run();
    assert!(ended.good, "{}", ended.stderr);
    let first = collector.next();
    let rest = collector.rest();
    let mut traces: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for span in std::iter::once(&first).chain(&rest).flat_map(spans) {
        *traces.entry(span.trace_id.clone()).or_default() += 1;
    }
    // Of 400 a half, by six standard deviations.
    assert!((140..260).contains(&traces.len()), "{}", traces.len());
    assert!(traces.values().all(|spans| *spans == 2));
}

#[test]
#[ignore = "runs in a process of its own"]
fn a_sample() {
    let Some(url) = collector() else { return };
    let settings = TelemetrySettings {
        otlp_sample: 0.5,
        ..settings(url)
    };
    let telemetry = init_for(&settings, "serve").unwrap();
    for _ in 0..400 {
        let request = tracing::info_span!(target: "plaza_web", "request").entered();
        tracing::info_span!(target: "plaza_web", "step").in_scope(|| ());
        drop(request);
    }
    end(&telemetry);
}

/// Twenty thousand requests, which is more than fits the queue, and how long the slowest was.
#[test]
#[ignore = "runs in a process of its own"]
fn many_requests() {
    let Some(url) = collector() else { return };
    let telemetry = init_for(&settings(url), "serve").unwrap();
    let slowest = (0..20_000).map(|number| {
        let begun = Instant::now();
        tracing::info_span!(target: "plaza_web", "request", number).in_scope(|| ());
        begun.elapsed()
    });
    println!("\nslowest {}", slowest.max().unwrap().as_millis());
    end(&telemetry);
}

fn number_after(text: &str, label: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label)).unwrap();
    line.trim().parse().unwrap()
}

#[track_caller]
fn assert_harmless(url: &str) {
    let ended = Child::of("export::many_requests").with_collector(url).run();
    assert!(ended.good, "{}", ended.stderr);
    assert!(ended.took < IN_TIME, "{:?}", ended.took);
    // A request that waited for the collector would have waited for seconds.
    assert!(
        number_after(&ended.stdout, "slowest ") < 1_000,
        "{}",
        ended.stdout
    );
    assert_eq!(
        number_after(&ended.stdout, "plaza_trace_spans_exported_total "),
        0
    );
    assert_eq!(
        ended.stderr.matches("traces are not taken").count(),
        1,
        "{}",
        ended.stderr
    );
    println!("{}", ended.stdout);
}

#[test]
fn a_collector_that_is_not_there_delays_neither_requests_nor_the_exit() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_harmless(&format!("http://{address}"));
}

#[test]
fn a_collector_that_never_answers_delays_neither_requests_nor_the_exit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    std::thread::spawn(move || silent.incoming().map(Result::unwrap).collect::<Vec<_>>());
    assert_harmless(&format!("http://{address}"));
}

#[test]
fn a_collector_that_does_not_even_accept_delays_neither_requests_nor_the_exit() {
    // Its queue takes the connection, and nobody ever looks.
    let asleep = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_harmless(&format!("http://{}", asleep.local_addr().unwrap()));
}
