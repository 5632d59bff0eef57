//! A receipt joins the trace of what was sent.

use std::collections::BTreeSet;

use http::StatusCode;
use plaza_simulator::SimulatorSettings;
use plaza_telemetry::trace;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::peer::{Peer, calm, calm_towards};
use crate::receiver::{Receiver, statuses_of};

const TRACES: [&str; 2] = [
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
];

fn trace_of(traceparent: &str) -> &str {
    &traceparent[3..35]
}

fn traced() -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(Registry::default().with(trace::layer()))
}

#[tokio::test]
async fn callbacks_go_on_with_the_trace_of_their_message() {
    let _traced = traced();
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    peer.send_within(TRACES[0], "m-1").await;
    peer.settled().await;

    let told = receiver.traceparents();
    assert_eq!(told.len(), 3);
    let spans: BTreeSet<&str> = told.iter().flatten().map(|text| &text[36..52]).collect();
    // Each callback is a span of its own.
    assert_eq!(spans.len(), 3);
    assert!(!spans.contains(&TRACES[0][36..52]));
    for traceparent in told.iter().flatten() {
        assert_eq!(trace_of(traceparent), trace_of(TRACES[0]));
    }
}

#[tokio::test]
async fn a_message_without_a_trace_begins_one_and_its_callbacks_share_it() {
    let _traced = traced();
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    peer.send_within("rubbish", "m-1").await;
    peer.settled().await;

    let told = receiver.traceparents();
    let traces: BTreeSet<&str> = told.iter().flatten().map(|text| trace_of(text)).collect();
    assert_eq!((told.len(), traces.len()), (3, 1));
}

#[tokio::test]
async fn where_nobody_keeps_traces_they_are_passed_on_all_the_same() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    peer.send_within(TRACES[0], "m-1").await;
    peer.settled().await;
    assert_eq!(receiver.traceparents(), vec![Some(TRACES[0].to_owned()); 3]);

    peer.send_within("rubbish", "m-2").await;
    peer.settled().await;
    assert_eq!(receiver.traceparents()[3..], [None, None, None]);
}

#[tokio::test]
async fn the_trace_of_a_message_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let state_file = Some(folder.path().join("simulator.jsonl"));
    let before = SimulatorSettings {
        state_file: state_file.clone(),
        ..calm()
    };
    let peer = Peer::start(before).await;
    peer.send_within(TRACES[0], "m-1").await;
    peer.stop().await;

    let receiver = Receiver::start().await;
    let after = SimulatorSettings {
        state_file,
        ..calm_towards(&receiver)
    };
    Peer::start(after).await.settled().await;
    let told = receiver.traceparents();
    assert!(!told.is_empty());
    assert!(
        told.iter().all(|text| text.as_deref() == Some(TRACES[0])),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_callback_for_messages_of_several_traces_belongs_to_none_of_them() {
    let _traced = traced();
    let receiver = Receiver::start().await;
    // Meanwhile what is due gathers.
    receiver.refuse(&[StatusCode::SERVICE_UNAVAILABLE; 20]);
    let peer = Peer::start(calm_towards(&receiver)).await;
    for number in 0..40 {
        peer.send_within(TRACES[number % 2], &format!("{}-{number}", number % 2))
            .await;
    }
    peer.settled().await;

    let mut mixed = 0;
    for (body, traceparent) in receiver.bodies().iter().zip(receiver.traceparents()) {
        let traceparent = traceparent.unwrap();
        let statuses = statuses_of(body);
        let of = |number: &str| {
            statuses.iter().any(|status| {
                let reference = status["biz_opaque_callback_data"].as_str().unwrap();
                reference.starts_with(&format!("{number}-"))
            })
        };
        let here = trace_of(&traceparent);
        match (of("0"), of("1")) {
            (true, true) => {
                mixed += 1;
                assert!(!TRACES.iter().any(|known| trace_of(known) == here));
            }
            (first, _) => assert_eq!(here, trace_of(TRACES[usize::from(!first)])),
        }
    }
    assert!(mixed > 0);
}
