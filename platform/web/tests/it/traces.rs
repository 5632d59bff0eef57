//! Which trace a request belongs to, and who is told.

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use plaza_kernel::{Clock, Kind};
use plaza_telemetry::trace::{self, TraceContext};
use plaza_web::server::{ServerSettings, serve};
use plaza_web::{ApiError, Problem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::Reply;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CAME_IN: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";

fn public() -> ServerSettings {
    ServerSettings::default()
}

fn internal() -> ServerSettings {
    ServerSettings {
        internal: true,
        ..public()
    }
}

/// Answers with the trace of the request and what it still says of one.
fn shop() -> Router {
    let told = async |request: Request| {
        let here = trace::current().map(TraceContext::trace_id);
        let names = ["traceparent", "tracestate", "baggage"];
        let still = names.map(|name| request.headers().get_all(name).iter().count().to_string());
        format!("{} {}", here.unwrap_or_default(), still.concat())
    };
    let fails = async || ApiError::new(Kind::Unavailable, "SHUT", "the shop is shut");
    let panics = async || {
        if true {
            panic!("boo")
        }
    };
    Router::new()
        .route("/told", get(told))
        .route("/fails", get(fails))
        .route("/panics", get(panics))
}

/// Asks a server of its own, with these header lines.
async fn ask(settings: ServerSettings, path: &str, lines: &str) -> Reply {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let tracked = tasks.clone();
    let _stop = stop.clone().drop_guard();
    tasks.spawn(async move { serve(listener, shop(), settings, Clock::system(), stop, &tracked).await });
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (
            http::HeaderName::try_from(name).unwrap(),
            http::HeaderValue::try_from(value).unwrap(),
        )
    });
    Reply {
        status: status.parse().unwrap(),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    }
}

async fn told(settings: ServerSettings, lines: &str) -> (String, String) {
    let body = String::from_utf8(ask(settings, "/told", lines).await.body).unwrap();
    let (trace, still) = body.split_once(' ').unwrap();
    (trace.to_owned(), still.to_owned())
}

fn traced() -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(Registry::default().with(trace::layer()))
}

#[tokio::test]
async fn the_internal_listener_goes_on_with_the_trace_that_came_in() {
    let _traced = traced();
    let state = "tracestate: a=b\r\nbaggage: c=d\r\n";
    let followed = told(internal(), &format!("{CAME_IN}{state}")).await;
    assert_eq!(followed, (TRACE.to_owned(), "111".to_owned()));
}

#[tokio::test]
async fn a_stranger_cannot_name_a_trace() {
    let _traced = traced();
    let state = "tracestate: a=b\r\nbaggage: c=d\r\n";
    let (trace, still) = told(public(), &format!("{CAME_IN}{state}")).await;
    assert_eq!(trace.len(), 32);
    assert_ne!(trace, TRACE);
    assert_eq!(still, "000");
    let (another, _) = told(public(), "").await;
    assert_ne!(another, trace);
}

#[tokio::test]
async fn a_client_may_name_a_trace_where_a_setting_says_so() {
    let _traced = traced();
    let settings = ServerSettings {
        trust_trace_context: true,
        ..public()
    };
    assert_eq!(told(settings, CAME_IN).await.0, TRACE);
}

#[tokio::test]
async fn what_is_malformed_or_said_twice_is_dropped() {
    let _traced = traced();
    for lines in [
        CAME_IN.replace("-01\r", "-0x\r"),
        CAME_IN.to_uppercase(),
        CAME_IN.replace("00f067aa0ba902b7", "0000000000000000"),
        CAME_IN
            .replace(": 00-", ": 01-")
            .replace("-01\r", &format!("-01-{}\r", "x".repeat(60_000))),
        format!("{CAME_IN}{CAME_IN}"),
        format!("tracestate: a=b\r\n{}", CAME_IN.replace(": 00-", ": ff-")),
    ] {
        let (trace, still) = told(internal(), &lines).await;
        let shown = &lines[..lines.len().min(120)];
        assert_eq!((trace.len(), still.as_str()), (32, "000"), "{shown}");
        assert_ne!(trace, TRACE, "{shown}");
    }
}

#[tokio::test]
async fn problems_name_their_trace_and_answers_do_not_carry_it() {
    let _traced = traced();
    for (path, status, code) in [
        ("/fails", 503, "SHUT"),
        ("/panics", 500, "INTERNAL"),
        ("/nowhere", 404, "NOT_FOUND"),
    ] {
        let reply = ask(internal(), path, CAME_IN).await;
        let problem: Problem = reply.assert_failed(status, code);
        assert_eq!(problem.trace_id.as_deref(), Some(TRACE), "{path}");
        assert!(reply.headers.contains_key("x-request-id"));
        assert!(!reply.headers.contains_key("traceparent"), "{path}");
    }
    let stranger = ask(public(), "/fails", CAME_IN).await.assert_failed(503, "SHUT");
    let trace = stranger.trace_id.unwrap();
    assert_eq!(trace.len(), 32);
    assert_ne!(trace, TRACE);
}

#[tokio::test]
async fn where_nobody_keeps_traces_problems_have_none() {
    let reply = ask(internal(), "/fails", CAME_IN).await;
    assert_eq!(reply.assert_failed(503, "SHUT").trace_id, None);
    assert_eq!(reply.json().get("trace_id"), None);
}
