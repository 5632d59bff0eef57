//! One trace through every process that a campaign passes, as a collector was told it; and collectors that are away.

use std::time::{Duration, Instant};

use http::Method;
use plaza_testkit::eventually;
use plaza_testkit::otlp::{Behaviour, Collector, Span};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Api, answer};
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{Plaza, folder, free_address};
use crate::story;

/// The trace and the span that the client says it is in.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";
/// One whose message is accepted, delivered and read.
const FILE: &str = "id,name,phone,country,opted_in\n1,Ada,+12025550111,US,yes\n";

/// What led to a receipt of the campaign's only message, back to the client: who, what, and as what.
const WAY: [(&str, &str, &str); 11] = [
    ("notification", "apply receipts", "internal"),
    ("notification", "request POST /webhooks/meta", "server"),
    ("gateway", "request POST /webhooks/meta", "server"),
    ("simulator", "simulator.callback", "client"),
    ("simulator", "simulator.accept", "server"),
    ("notification", "send whatsapp", "client"),
    ("notification", "consume broadcast.send", "consumer"),
    ("broadcast", "publish broadcast.send", "producer"),
    ("broadcast", "plan batch", "internal"),
    ("broadcast", SEND, "server"),
    ("gateway", SEND, "server"),
];
/// For lines of a log to be in its file.
const PATIENCE: Duration = Duration::from_secs(30);
const SEND: &str = "request POST /api/v1/broadcast/campaigns/{id}/send";

/// A fleet that tells the collector, each process under its own name.
async fn traced(collector: &Collector) -> Fleet {
    let endpoint = collector.endpoint();
    let mut fleet = Fleet::builder()
        .simulated("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .simulated("OTEL_SERVICE_NAME", "simulator")
        .simulated("PLAZA_SIMULATOR__READ_RATE", "1.0")
        .simulated("PLAZA_SIMULATOR__FAILURE_RATE", "0.0")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("PLAZA_SERVER__TRUST_TRACE_CONTEXT", "true")
        .env("PLAZA_TELEMETRY__FORMAT", "json")
        .env("PLAZA_LOG", "info,plaza_web=debug")
        .prepare()
        .await;
    for name in fleet.names() {
        fleet.tell("OTEL_SERVICE_NAME", &name);
        fleet.spawn(&name);
    }
    fleet.all_ready().await;
    fleet
}

/// A campaign to one person who reads it; the request that sends it names the trace.
async fn campaign(owner: &Api) {
    let folder = folder();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, FILE).unwrap();
    story::import(owner, &file).await;
    let template = story::template(owner).await;
    let path = format!(
        "/api/v1/broadcast/campaigns/{}",
        story::campaign(owner, "Spring", &template).await
    );
    let send = owner.request(Method::POST, &format!("{path}/send"));
    let sent = answer(send.header("traceparent", format!("00-{TRACE}-{CLIENT}-01"))).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    let read = |campaign: &Value| campaign["counts"] == json!({"read": 1});
    story::until(owner, &path, read).await;
}

#[tokio::test]
async fn a_campaign_is_one_trace_through_every_process_that_it_passes() {
    let collector = Collector::start().await;
    let mut fleet = traced(&collector).await;
    let admin = story::administrator(&fleet).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    campaign(&owner).await;
    // Every process exports when it comes to it.
    collector.wait_for(|spans| is_whole(&of_the_trace(spans))).await;
    let spans = collector.trace(TRACE);
    let told: Vec<String> = spans.iter().map(listed).collect();
    let told = told.join("\n");

    let receipt = spans.iter().find(|span| span.name == WAY[0].1).unwrap();
    let way = way_up(&spans, receipt);
    let passed: Vec<_> = way
        .iter()
        .map(|span| (service(span), span.name.as_str(), span.kind))
        .collect();
    assert_eq!(passed, WAY, "{told}");
    assert_eq!(way.last().unwrap().parent.as_deref(), Some(CLIENT), "{told}");

    // The planner asks notification: a call of its own inside the planning.
    const SUPPRESSED: &str = "plaza.notification.v1.Notification/Suppressed";
    let asked = |span: &&Span| span.name == SUPPRESSED && span.kind == "server";
    let answered = spans.iter().find(asked).unwrap();
    let call = way_up(&spans, answered);
    let steps: Vec<_> = call[..3]
        .iter()
        .map(|span| (service(span), span.name.as_str(), span.kind))
        .collect();
    let expected = [
        ("notification", SUPPRESSED, "server"),
        ("broadcast", SUPPRESSED, "client"),
        ("broadcast", "plan batch", "internal"),
    ];
    assert_eq!(steps, expected, "{told}");
    let told_of = |name: &str| answered.attributes[name].clone();
    assert_eq!(told_of("rpc.system"), "grpc");
    assert_eq!(told_of("rpc.service"), "plaza.notification.v1.Notification");
    assert_eq!(told_of("rpc.method"), "Suppressed");
    assert_eq!(told_of("rpc.grpc.status_code"), "0");
    // A call has one span on each side, and every span of a request its route.
    let twice = spans.iter().filter(|span| span.name.contains("unmatched"));
    assert_eq!(twice.count(), 0, "{told}");
    assert!(spans.iter().all(|span| !span.failed), "{told}");

    a_problem_names_the_trace_of_its_log_lines(&fleet, &owner).await;
    fleet.stop().await;
}

async fn a_problem_names_the_trace_of_its_log_lines(fleet: &Fleet, owner: &Api) {
    const OTHER: &str = "11112222333344445555666677778888";
    let path = "/api/v1/broadcast/campaigns/01890000-0000-7000-8000-000000000000";
    let get = owner.request(Method::GET, path);
    let refused = answer(get.header("traceparent", format!("00-{OTHER}-{CLIENT}-01"))).await;
    assert_eq!(refused.status, 404, "{}", refused.text());
    let problem = refused.json();
    assert_eq!(problem["trace_id"], OTHER, "{problem}");
    for process in ["gateway", "broadcast"] {
        let lines = || lines_of(&fleet.stderr(process), &problem["request_id"]);
        let written = async || lines().iter().any(|line| line["status"] == 404);
        eventually(PATIENCE, written).await;
        for line in lines() {
            assert_eq!(line["trace_id"], OTHER, "{process}: {line}");
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_dead_or_never_answers_holds_up_neither_requests_nor_the_end() {
    let collector = Collector::start().await;
    collector.set(Behaviour::Hang);
    works_and_ends_in_time(&collector.endpoint(), async || {
        collector.wait_for_requests(1).await
    })
    .await;
    works_and_ends_in_time(&format!("http://{}", free_address()), async || ()).await;
}

async fn works_and_ends_in_time(endpoint: &str, told: impl AsyncFn()) {
    const DRAIN: Duration = Duration::from_secs(2);
    let mut plaza = Plaza::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("PLAZA_SERVER__DRAIN_SECONDS", DRAIN.as_secs())
        .env("PLAZA_TELEMETRY__FORMAT", "json")
        .env("PLAZA_LOG", "info,plaza_web=debug")
        .start()
        .await;
    let admin = story::administrator(&plaza).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    told().await;
    owner.get("/api/v1/auth/me").await.ok();

    // Nobody vouches for what clients say about traces here: the request has one of its own, and its lines name it.
    let get = owner.request(Method::GET, "/api/v1/nothing");
    let refused = answer(get.header("traceparent", format!("00-{TRACE}-{CLIENT}-01"))).await;
    let problem = refused.json();
    let trace = problem["trace_id"].as_str().unwrap();
    assert!(trace.len() == 32 && trace != TRACE, "{problem}");
    let lines = || lines_of(&plaza.stderr(), &problem["request_id"]);
    eventually(PATIENCE, async || !lines().is_empty()).await;
    assert!(lines().iter().all(|line| line["trace_id"] == trace), "{problem}");

    let begun = Instant::now();
    let status = plaza.end_by(Signal::TERM).await;
    let took = begun.elapsed();
    assert!(status.success(), "{status}");
    assert!(took < DRAIN + Duration::from_secs(6), "it took {took:?} to end");
}

/// The lines of a log that mention a request.
fn lines_of(log: &str, request: &Value) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["request_id"] == *request)
        .collect()
}

fn of_the_trace(spans: &[Span]) -> Vec<Span> {
    let of_it = spans.iter().filter(|span| span.trace == TRACE);
    of_it.cloned().collect()
}

/// Whether it is one of a gRPC call, on either side.
fn is_call(span: &Span) -> bool {
    span.attributes.contains_key("rpc.method")
}

/// Whether a receipt is there and a call was answered, and everything that led to what is there.
fn is_whole(spans: &[Span]) -> bool {
    let has = |name: &str| spans.iter().any(|span| span.name == name);
    let known = |id: &str| id == CLIENT || spans.iter().any(|span| span.id == id);
    let answered = |call: &Span| {
        spans
            .iter()
            .any(|span| is_call(span) && span.kind == "server" && span.parent.as_ref() == Some(&call.id))
    };
    let mut calls = spans
        .iter()
        .filter(|span| is_call(span) && span.kind == "client")
        .peekable();
    has(WAY[0].1)
        && calls.peek().is_some()
        && calls.all(answered)
        && spans.iter().all(|span| span.parent.as_deref().is_some_and(known))
}

/// A span and those around it, outwards.
fn way_up<'a>(spans: &'a [Span], from: &'a Span) -> Vec<&'a Span> {
    let around = |span: &&'a Span| spans.iter().find(|other| Some(&other.id) == span.parent.as_ref());
    std::iter::successors(Some(from), around).collect()
}

/// A worker does the work of its service.
fn service(span: &Span) -> &str {
    span.service.strip_prefix("worker-").unwrap_or(&span.service)
}

fn listed(span: &Span) -> String {
    let parent = span.parent.as_deref().unwrap_or("nothing");
    format!("{} in {parent}: {} of {}", span.id, span.name, span.service)
}
