//! What was accepted outlives the process. Nothing is flushed at the end, so stopping in order and `kill -9` leave
//! the same file.

use std::io::Write;
use std::path::PathBuf;

use http::StatusCode;
use plaza_kernel::Clock;
use plaza_simulator::{Simulator, SimulatorError, SimulatorSettings};

use crate::peer::{Peer, calm, calm_towards};
use crate::receiver::Receiver;

const TO: &str = "4915117404120";

fn state_file() -> (tempfile::TempDir, Option<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("simulator.jsonl");
    (folder, Some(path))
}

#[tokio::test]
async fn accepted_messages_are_known_after_a_restart_and_their_callbacks_go_on() {
    let (_folder, state_file) = state_file();
    let peer = Peer::start(SimulatorSettings {
        state_file: state_file.clone(),
        ..calm()
    })
    .await;
    for number in 0..20 {
        peer.send_to(TO, &format!("m-{number}")).await;
    }
    let before = peer.messages("").await;
    peer.stop().await;

    let receiver = Receiver::start().await;
    // Another seed: what was planned stays planned.
    let settings = SimulatorSettings {
        state_file,
        seed: 99,
        read_rate: 0.0,
        ..calm_towards(&receiver)
    };
    let peer = Peer::start(settings).await;
    let counts = peer.settled().await;

    assert_eq!(
        (counts.accepted, counts.unique_references, counts.messages.read),
        (20, 20, 20)
    );
    assert_eq!(receiver.stories().len(), 20);
    let after = peer.messages("").await;
    assert_eq!(after.items[7].id, before.items[7].id);
    assert_eq!(after.items[7].at, before.items[7].at);
    assert_eq!(after.items[7].params, before.items[7].params);
}

#[tokio::test]
async fn what_was_acknowledged_is_not_told_again() {
    let (_folder, state_file) = state_file();
    let receiver = Receiver::start().await;
    let settings = SimulatorSettings {
        state_file,
        ..calm_towards(&receiver)
    };
    let peer = Peer::start(settings.clone()).await;
    peer.send_to(TO, "m-1").await;
    let before = peer.settled().await;
    peer.stop().await;

    let peer = Peer::start(settings).await;
    peer.send_to(TO, "m-2").await;
    let after = peer.settled().await;

    assert_eq!(receiver.stories()["m-1"], ["sent", "delivered", "read"]);
    assert_eq!(after.callbacks.acknowledged, before.callbacks.acknowledged + 3);
    assert_eq!(after.accepted, 2);
}

#[tokio::test]
async fn attempts_and_refusals_are_counted_across_restarts() {
    let (_folder, state_file) = state_file();
    let settings = SimulatorSettings { state_file, ..calm() };
    let peer = Peer::start(settings.clone()).await;
    assert_eq!(
        peer.send_to("15550000429", "m-1").await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(peer.send_to(TO, "m-2").await.0, StatusCode::OK);
    peer.stop().await;

    let peer = Peer::start(settings).await;
    assert_eq!(
        peer.send_to("15550000429", "m-1").await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(peer.send_to("15550000429", "m-1").await.0, StatusCode::OK);
    assert_eq!(peer.send_to(TO, "m-2").await.0, StatusCode::OK);
    let counts = peer.counts().await;
    assert_eq!(
        (counts.rejected["130429"], counts.accepted, counts.duplicates),
        (2, 3, 1)
    );
}

#[tokio::test]
async fn a_line_that_was_cut_off_by_a_kill_is_no_message() {
    let (_folder, state_file) = state_file();
    let settings = SimulatorSettings {
        state_file: state_file.clone(),
        ..calm()
    };
    let peer = Peer::start(settings.clone()).await;
    peer.send_to(TO, "m-1").await;
    peer.stop().await;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(state_file.unwrap())
        .unwrap();
    file.write_all(br#"{"accepted":{"wamid":"wamid.x","phone_nu"#)
        .unwrap();
    drop(file);

    let peer = Peer::start(settings.clone()).await;
    peer.send_to(TO, "m-2").await;
    peer.stop().await;
    assert_eq!(Peer::start(settings).await.counts().await.accepted, 2);
}

#[tokio::test]
async fn a_reset_empties_the_file() {
    let (_folder, state_file) = state_file();
    let settings = SimulatorSettings { state_file, ..calm() };
    let peer = Peer::start(settings.clone()).await;
    peer.send_to(TO, "m-1").await;
    peer.simulator.reset().unwrap();
    peer.send_to(TO, "m-2").await;
    peer.stop().await;

    let messages = Peer::start(settings).await.messages("").await.items;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].biz_opaque_callback_data.as_deref(), Some("m-2"));
}

#[tokio::test]
async fn two_simulators_cannot_share_a_file() {
    let (_folder, state_file) = state_file();
    let settings = SimulatorSettings { state_file, ..calm() };
    let _first = Peer::start(settings.clone()).await;
    let second = Simulator::new(settings, Clock::system());
    assert!(matches!(second, Err(SimulatorError::State(_))));
}
