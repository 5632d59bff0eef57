//! Faults on purpose.

use std::time::{Duration, Instant};

use http::StatusCode;
use plaza_simulator::SimulatorSettings;

use crate::peer::{Peer, calm, calm_towards, template};
use crate::receiver::Receiver;

#[tokio::test]
async fn passing_faults_refuse_two_attempts_of_each_message_and_then_let_it_through() {
    let peer = Peer::start(calm()).await;
    for (to, status, code) in [
        ("15550000429", 429, 130_429),
        ("12015550150", 500, 131_000),
        ("+999 000 1056", 400, 131_056),
    ] {
        for reference in ["first", "second"] {
            let reference = format!("{to} {reference}");
            for _ in 0..2 {
                let (refused, body) = peer.send_to(to, &reference).await;
                assert_eq!(
                    (refused.as_u16(), &body["error"]["code"]),
                    (status, &code.into()),
                    "{to}"
                );
            }
            assert_eq!(peer.send_to(to, &reference).await.0, StatusCode::OK);
        }
    }
    let counts = peer.counts().await;
    assert_eq!((counts.accepted, counts.duplicates), (6, 0));
    assert_eq!(counts.rejected["130429"], 4);
    assert!(
        peer.messages("")
            .await
            .items
            .iter()
            .all(|message| message.attempts == 3)
    );
}

#[tokio::test]
async fn lasting_faults_never_let_a_message_through() {
    let peer = Peer::start(calm()).await;
    for _ in 0..4 {
        let (status, body) = peer.send_to("15550002015", "m-1").await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::BAD_REQUEST, &132_015.into())
        );
    }
    let mut by_template = template("4915117404120", "m-2");
    by_template["template"]["name"] = "fault_132001".into();
    assert_eq!(peer.send(&by_template).await.0, StatusCode::NOT_FOUND);
    assert_eq!(peer.counts().await.accepted, 0);
}

#[tokio::test]
async fn a_message_can_fail_after_it_was_accepted() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    assert_eq!(peer.send_to("12015550126", "m-1").await.0, StatusCode::OK);
    assert_eq!(peer.send_to("15550001047", "m-2").await.0, StatusCode::OK);

    let counts = peer.settled().await;

    assert_eq!(counts.messages.failed, 2);
    let statuses = receiver.statuses();
    let mut codes: Vec<_> = statuses
        .iter()
        .map(|status| status["errors"][0]["code"].as_u64().unwrap())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [131_026, 131_047]);
}

#[tokio::test]
async fn an_accepted_message_may_stay_without_an_answer_once() {
    let peer = Peer::start(calm()).await;
    let first = peer.post("token", &template("15550000009", "m-1")).await;
    assert!(first.is_err(), "{first:?}");
    assert_eq!(peer.counts().await.accepted, 1);

    assert_eq!(peer.send_to("15550000009", "m-1").await.0, StatusCode::OK);
    let counts = peer.counts().await;
    assert_eq!(
        (counts.accepted, counts.unique_references, counts.duplicates),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn a_cut_connection_accepts_nothing() {
    let peer = Peer::start(calm()).await;
    for _ in 0..2 {
        assert!(peer.post("token", &template("15550000007", "m-1")).await.is_err());
    }
    assert_eq!(peer.counts().await.accepted, 0);
    assert_eq!(peer.send_to("15550000007", "m-1").await.0, StatusCode::OK);
    assert_eq!(peer.counts().await.rejected["cut"], 2);
}

#[tokio::test]
async fn a_stalled_answer_comes_late_and_only_once() {
    let settings = SimulatorSettings {
        stall_milliseconds: 300,
        ..calm()
    };
    let peer = Peer::start(settings).await;
    let started = Instant::now();
    assert_eq!(peer.send_to("15550000008", "m-1").await.0, StatusCode::OK);
    assert!(started.elapsed() >= Duration::from_millis(300));

    let started = Instant::now();
    assert_eq!(peer.send_to("15550000008", "m-1").await.0, StatusCode::OK);
    assert!(started.elapsed() < Duration::from_millis(300));
}

#[tokio::test]
async fn some_messages_are_never_heard_of_again() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    peer.send_to("15550000001", "never delivered").await;
    peer.send_to("15550000002", "silent").await;
    let counts = peer.settled().await;
    assert_eq!((counts.messages.sent, counts.messages.accepted), (1, 1));
    assert_eq!(receiver.statuses().len(), 1);
}

#[tokio::test]
async fn a_share_of_all_messages_can_meet_passing_faults() {
    let settings = SimulatorSettings {
        transient_rate: 0.5,
        ..calm()
    };
    let peer = Peer::start(settings).await;
    let mut refused = 0;
    for number in 0..40 {
        let reference = format!("m-{number}");
        while peer.send_to("4915117404120", &reference).await.0 != StatusCode::OK {
            refused += 1;
        }
    }
    assert!((10..70).contains(&refused), "{refused}");
    assert_eq!(peer.counts().await.unique_references, 40);
}
