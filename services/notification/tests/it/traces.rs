//! A message leaves in the trace that it was asked for in, however long it waited and whoever sends it.

use std::collections::HashSet;

use plaza_contracts::events::BroadcastSend;
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_contracts::proto::notification::{OutgoingMessage, SendRequest, Template};
use plaza_kernel::Clock;
use plaza_telemetry::trace::{self, TraceContext};
use plaza_testkit::eventually;
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::meta::{Answer, Meta};
use crate::stage::{PATIENCE, Stage, batch, campaign, people, quick};

/// This thread keeps traces: a test and all that it starts run on it alone.
fn keep_traces() -> DefaultGuard {
    tracing::subscriber::set_default(Registry::default().with(trace::layer()))
}

/// Runs a piece of work in a trace of its own; that trace's id.
async fn in_a_trace(work: impl Future<Output = ()>) -> String {
    let traced = async {
        work.await;
        trace::current().unwrap().trace_id()
    };
    traced
        .instrument(tracing::info_span!(target: "plaza_test", parent: None, "request"))
        .await
}

async fn stage(meta: &Meta, send_trace_context: bool) -> Stage {
    let mut config = quick();
    config.whatsapp.send_trace_context = send_trace_context;
    Stage::open(&meta.url, config).await
}

/// The traces that the provider was told, and the spans in them.
fn told(meta: &Meta) -> (HashSet<String>, HashSet<String>) {
    let asked = meta.asked();
    let contexts: Vec<String> = asked.into_iter().filter_map(|asked| asked.traceparent).collect();
    let trace = |context: &String| TraceContext::parse(context).unwrap().trace_id();
    (
        contexts.iter().map(trace).collect(),
        contexts.iter().cloned().collect(),
    )
}

async fn call(stage: &Stage) {
    let message = |number: String| OutgoingMessage {
        message_id: Clock::system().uuid().to_string(),
        channel: "whatsapp".to_owned(),
        to: number,
        template: Some(Template {
            name: "order_update_v1".to_owned(),
            language: "en_US".to_owned(),
            body: Vec::new(),
        }),
        ..OutgoingMessage::default()
    };
    let request = SendRequest {
        tenant_id: stage.tenant.to_string(),
        source: "reminder:7".to_owned(),
        sender_id: stage.sender.to_string(),
        messages: people(3).into_iter().map(message).collect(),
    };
    NotificationClient::new(stage.transport())
        .send(request)
        .await
        .unwrap();
}

#[tokio::test]
async fn messages_of_a_call_leave_in_its_trace_each_in_a_span_of_its_own() {
    let (_traces, meta) = (keep_traces(), Meta::start(|_| Answer::Accept).await);
    let stage = stage(&meta, true).await;
    let asked_in = in_a_trace(call(&stage)).await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() == 3 }).await;
    let (traces, spans) = told(&meta);
    assert_eq!(traces, HashSet::from([asked_in]));
    assert_eq!(spans.len(), 3);
    stage.end().await;
}

#[tokio::test]
async fn messages_of_an_event_leave_in_its_trace() {
    let (_traces, meta) = (keep_traces(), Meta::start(|_| Answer::Accept).await);
    let stage = stage(&meta, true).await;
    let event: BroadcastSend = batch(campaign(), stage.sender, 0, &people(2));
    let asked_in = in_a_trace(stage.publish(&event)).await;
    stage.settle().await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() == 2 }).await;
    assert_eq!(told(&meta).0, HashSet::from([asked_in]));
    stage.end().await;
}

#[tokio::test]
async fn a_provider_is_told_nothing_of_our_traces_unless_the_settings_say_so() {
    let (_traces, meta) = (keep_traces(), Meta::start(|_| Answer::Accept).await);
    let stage = stage(&meta, false).await;
    in_a_trace(call(&stage)).await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() == 3 }).await;
    assert!(meta.asked().iter().all(|asked| asked.traceparent.is_none()));
    stage.end().await;
}
