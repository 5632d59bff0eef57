//! What is told to the webhook, and how often.

use std::time::Duration;

use http::StatusCode;
use plaza_simulator::SimulatorSettings;
use serde_json::Value;

use crate::peer::{Peer, calm, calm_towards, snapshot};
use crate::receiver::{Receiver, signature_of};

const TO: &str = "4915117404120";

#[tokio::test]
async fn a_message_is_reported_sent_then_delivered_then_read_with_our_reference() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;

    let (_, accepted) = peer.send_to(TO, "m-1").await;
    peer.settled().await;

    assert_eq!(receiver.stories()["m-1"], ["sent", "delivered", "read"]);
    for status in receiver.statuses() {
        assert_eq!(status["id"], accepted["messages"][0]["id"]);
        assert_eq!(status["recipient_id"], TO);
        assert!(status["timestamp"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000);
    }
    let shown = &peer.messages("").await.items[0];
    assert!(shown.statuses.iter().all(|status| status.acknowledged));
}

#[tokio::test]
async fn callbacks_have_the_shape_of_the_cloud_api() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    peer.send_to(TO, "m-1").await;
    peer.settled().await;
    peer.send_to("15550001026", "m-2").await;
    peer.settled().await;

    let mut bodies = receiver.bodies();
    for body in &mut bodies {
        body["entry"][0]["changes"][0]["value"]["statuses"][0]["timestamp"] = Value::from("(unix time)");
    }
    snapshot("callbacks", &Value::from(bodies));
}

#[tokio::test]
async fn the_signature_is_made_of_the_raw_body() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    peer.send_to(TO, "größer als \"ASCII\" ✓").await;
    peer.settled().await;

    let requests = receiver.requests();
    assert_eq!(requests.len(), 3);
    for (signature, body) in requests {
        assert_eq!(signature, signature_of(&body));
    }
}

#[tokio::test]
async fn many_statuses_share_a_request_in_several_changes_and_entries() {
    let receiver = Receiver::start().await;
    receiver.refuse(&[StatusCode::SERVICE_UNAVAILABLE; 20]);
    let peer = Peer::start(calm_towards(&receiver)).await;
    for number in 0..40 {
        peer.send_to(TO, &format!("m-{number}")).await;
    }
    peer.settled().await;

    let largest = receiver
        .bodies()
        .into_iter()
        .max_by_key(|body| body.to_string().len())
        .unwrap();
    assert!(largest["entry"].as_array().unwrap().len() > 1, "{largest}");
    assert!(
        largest["entry"][0]["changes"][0]["value"]["statuses"]
            .as_array()
            .unwrap()
            .len()
            > 1
    );
    assert_eq!(receiver.statuses().len(), 120);
    assert!(
        receiver
            .stories()
            .values()
            .all(|story| story == &["sent", "delivered", "read"])
    );
}

#[tokio::test]
async fn refused_callbacks_come_again_until_they_are_accepted() {
    let receiver = Receiver::start().await;
    let refusals = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::UNAUTHORIZED,
        StatusCode::BAD_GATEWAY,
        StatusCode::FOUND,
    ];
    receiver.refuse(&refusals);
    let peer = Peer::start(calm_towards(&receiver)).await;

    peer.send_to(TO, "m-1").await;
    let counts = peer.settled().await;

    assert_eq!(receiver.stories()["m-1"], ["sent", "delivered", "read"]);
    assert_eq!(counts.callbacks.refused_requests, 4);
    assert_eq!(counts.callbacks.acknowledged, 3);
}

#[tokio::test]
async fn a_receiver_that_is_away_misses_nothing() {
    let address = {
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let settings = SimulatorSettings {
        callback_url: Some(format!("http://{address}/webhooks/meta")),
        ..calm()
    };
    let peer = Peer::start(settings).await;
    for number in 0..10 {
        peer.send_to(TO, &format!("m-{number}")).await;
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(peer.simulator.counts().callbacks.pending, 30);

    let receiver = Receiver::start_at(address).await;
    peer.settled().await;

    assert_eq!(receiver.stories().len(), 10);
    assert!(
        receiver
            .stories()
            .values()
            .all(|story| story == &["sent", "delivered", "read"])
    );
}

#[tokio::test]
async fn repetitions_and_swaps_are_the_same_for_the_same_seed() {
    let mut told = Vec::new();
    for seed in [7, 7, 8] {
        let receiver = Receiver::start().await;
        let settings = SimulatorSettings {
            seed,
            duplicate_rate: 0.3,
            reorder_rate: 0.3,
            read_rate: 0.5,
            failure_rate: 0.2,
            ..calm_towards(&receiver)
        };
        let peer = Peer::start(settings).await;
        // Together, so that their order differs from one run to the next.
        let sends = (0..60).map(|number| {
            let peer = &peer;
            async move {
                peer.send_to(&format!("49151174041{number:02}"), &format!("m-{number}"))
                    .await
            }
        });
        futures_util::future::join_all(sends).await;
        let counts = peer.settled().await;
        assert!(
            counts.callbacks.repeated > 0 && counts.callbacks.failed > 0,
            "{counts:?}"
        );
        told.push(receiver.stories());
    }
    assert_eq!(told[0], told[1]);
    assert_ne!(told[0], told[2]);
    assert!(
        told[0]
            .values()
            .any(|story| story.starts_with(&["delivered".into(), "sent".into()]))
    );
    assert!(told[0].values().any(|story| story.len() > 3));
}

#[tokio::test]
async fn a_reset_forgets_everything_and_callbacks_on_their_way_too() {
    let receiver = Receiver::start().await;
    let settings = SimulatorSettings {
        delay_milliseconds: [1_500, 1_500],
        ..calm_towards(&receiver)
    };
    let peer = Peer::start(settings).await;
    peer.send_to(TO, "m-1").await;

    let answer = peer
        .client
        .post(format!("{}/_simulator/reset", peer.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    tokio::time::sleep(Duration::from_millis(1_600)).await;

    assert!(receiver.requests().is_empty());
    assert_eq!(peer.counts().await, plaza_simulator::Counts::default());
}
