//! Requests to send, good and bad.

use http::StatusCode;
use plaza_simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::peer::{Peer, calm, snapshot, template};

const TO: &str = "+49 151 17404120";

#[tokio::test]
async fn a_template_is_accepted_in_the_shape_of_the_cloud_api() {
    let peer = Peer::start(calm()).await;

    let (status, body) = peer.send_to(TO, "m-1").await;

    assert_eq!(status, StatusCode::OK);
    snapshot("accepted", &body);
    let message = &peer.messages("").await.items[0];
    assert_eq!(message.to, "4915117404120");
    assert_eq!(message.template.as_deref(), Some("order_update_v1"));
    assert_eq!(message.params, ["Zoë", "A123"]);
    assert_eq!(message.biz_opaque_callback_data.as_deref(), Some("m-1"));
    assert_eq!(message.attempts, 1);
    assert_eq!(body["messages"][0]["id"], message.id);
}

#[tokio::test]
async fn a_text_is_accepted_and_a_read_receipt_sends_nothing() {
    let peer = Peer::start(calm()).await;
    let text =
        json!({ "messaging_product": "whatsapp", "to": TO, "type": "text", "text": { "body": "Hello" } });
    assert_eq!(peer.send(&text).await.0, StatusCode::OK);

    let read = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x" });
    assert_eq!(
        peer.send(&read).await,
        (StatusCode::OK, json!({ "success": true }))
    );

    let messages = peer.messages("").await.items;
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].kind.as_str(), messages[0].text.as_deref()),
        ("text", Some("Hello"))
    );
    assert_eq!(messages[0].biz_opaque_callback_data, None);
}

#[tokio::test]
async fn bad_requests_get_the_errors_of_the_cloud_api() {
    let peer = Peer::start(calm()).await;
    let without = |field: &str| {
        let mut body = template(TO, "m-1");
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let with = |pointer: &str, value: Value| {
        let mut body = template(TO, "m-1");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let parameter = "/template/components/0/parameters/0";
    for (code, body) in [
        (100, json!([])),
        (100, without("messaging_product")),
        (100, without("to")),
        (100, without("template")),
        (100, with("/messaging_product", "telegram".into())),
        (100, with("/template/name", "".into())),
        (132_001, with("/template/name", "Order Update".into())),
        (100, with("/template/language", json!({}))),
        (131_009, with("/to", "12ab567890".into())),
        (131_009, with("/to", "12".into())),
        (131_009, with("/biz_opaque_callback_data", "x".repeat(513).into())),
        (131_009, with("/template/components", json!({}))),
        (131_009, with("/template/components/0/type", "footer".into())),
        (131_008, with(parameter, json!({ "type": "text" }))),
        (131_008, with(parameter, json!({ "text": "x" }))),
        (100, with(&format!("{parameter}/text"), "two\nlines".into())),
        (131_051, with("/type", "hologram".into())),
    ] {
        let (status, answer) = peer.send(&body).await;
        assert!(status.is_client_error(), "{body}");
        assert_eq!(answer["error"]["code"], code, "{body} {answer}");
        assert_eq!(answer["error"]["type"], "OAuthException");
        assert!(answer["error"]["error_data"]["details"].is_string(), "{answer}");
    }
    let counts = peer.counts().await;
    assert_eq!(counts.accepted, 0);
    assert_eq!(counts.rejected.values().sum::<u64>(), 17);
    assert_eq!(counts.rejected["131009"], 5);
}

#[tokio::test]
async fn a_request_without_a_token_is_not_read() {
    let peer = Peer::start(calm()).await;
    let url = format!("{}/v23.0/106540352242922/messages", peer.url);
    for request in [
        peer.client.post(&url),
        peer.client.post(&url).header("authorization", "Bearer "),
    ] {
        let answer = request.body("not JSON").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], 190);
        snapshot("no_token", &body);
    }
}

#[tokio::test]
async fn where_a_token_is_set_no_other_is_good() {
    let settings = SimulatorSettings {
        access_token: Some("right".into()),
        ..calm()
    };
    let peer = Peer::start(settings).await;
    let body = template(TO, "m-1");
    assert_eq!(
        peer.post("wrong", &body).await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(peer.post("right", &body).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn other_paths_and_methods_are_unknown() {
    let peer = Peer::start(calm()).await;
    for (path, code) in [
        ("/v23.0/abc/messages", 100),
        ("/latest/1/messages", 2_500),
        ("/v23.0/1/media", 2_500),
    ] {
        let request = peer
            .client
            .post(format!("{}{path}", peer.url))
            .bearer_auth("token");
        let answer: Value = request
            .json(&template(TO, "m"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["error"]["code"], code, "{path}");
    }
    let answer: Value = peer.get("/v23.0/1/messages").await.json().await.unwrap();
    assert_eq!(answer["error"]["code"], 2_500);
    assert_eq!(peer.get("/_simulator/health").await.status(), StatusCode::OK);
    assert!(
        peer.get("/_simulator/faults")
            .await
            .text()
            .await
            .unwrap()
            .contains("131056")
    );
}

#[tokio::test]
async fn messages_are_listed_in_pages_and_found_by_number_and_reference() {
    let peer = Peer::start(calm()).await;
    for number in 0..5 {
        peer.send_to(&format!("491511740412{number}"), &format!("m-{number}"))
            .await;
    }
    let first = peer.messages("limit=2").await;
    assert_eq!(first.items.len(), 2);
    let second = peer
        .messages(&format!("limit=3&cursor={}", first.next_cursor.unwrap()))
        .await;
    let references: Vec<_> = second
        .items
        .iter()
        .filter_map(|message| message.biz_opaque_callback_data.clone())
        .collect();
    assert_eq!(references, ["m-2", "m-3", "m-4"]);
    assert_eq!(second.next_cursor, None);

    let found = peer.messages("to=%2B4915117404123").await.items;
    assert_eq!(
        (found.len(), found[0].biz_opaque_callback_data.as_deref()),
        (1, Some("m-3"))
    );
    assert_eq!(peer.messages("reference=m-1").await.items[0].to, "4915117404121");
}
