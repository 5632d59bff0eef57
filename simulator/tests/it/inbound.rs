//! People who write to a WhatsApp number.

use serde_json::{Value, json};

use crate::peer::{Peer, calm, calm_towards};
use crate::receiver::{Receiver, signature_of};

async fn posts(peer: &Peer, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/_simulator/whatsapp/{path}", peer.url);
    let answer = peer.client.post(url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn what_somebody_writes_is_told_in_metas_shape_and_signed() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    let written =
        json!({"phone_number_id": "106540352242922", "from": "12015550123", "name": "Ana", "text": "Hello"});
    let told = posts(&peer, "inbound", written.clone()).await;
    assert_eq!(told, (200, json!({"status": 200})));
    posts(&peer, "inbound", written).await;
    let hidden = json!({"phone_number_id": "106540352242922", "user_id": "US.1", "message":
        {"type": "image", "image": {"id": "7", "caption": "See"}}});
    posts(&peer, "inbound", hidden).await;
    let bodies = receiver.bodies();
    for (signature, body) in receiver.requests() {
        assert_eq!(signature, signature_of(&body));
    }
    let value = |at: usize| bodies[at]["entry"][0]["changes"][0]["value"].clone();
    assert_eq!(value(0)["messages"][0]["text"]["body"], "Hello");
    assert_eq!(value(0)["contacts"][0]["wa_id"], "12015550123");
    assert_eq!(value(0)["metadata"]["phone_number_id"], "106540352242922");
    assert_eq!(
        value(0)["messages"][0]["id"],
        value(1)["messages"][0]["id"],
        "the same message"
    );
    assert_eq!(value(2)["messages"][0]["from_user_id"], "US.1");
    assert_eq!(
        (
            value(2)["messages"][0].get("from"),
            &value(2)["messages"][0]["image"]["id"]
        ),
        (None, &json!("7"))
    );
    peer.stop().await;
}

#[tokio::test]
async fn any_other_change_is_told_as_it_stands() {
    let receiver = Receiver::start().await;
    let peer = Peer::start(calm_towards(&receiver)).await;
    let value = json!({"event": "APPROVED", "message_template_name": "a"});
    let change = json!({"field": "message_template_status_update", "value": value});
    assert_eq!(posts(&peer, "change", change).await.0, 200);
    let told = receiver.bodies()[0]["entry"][0]["changes"][0].clone();
    assert_eq!(
        told,
        json!({"field": "message_template_status_update", "value": value})
    );
    peer.stop().await;
}

#[tokio::test]
async fn nobody_is_told_where_there_is_nobody_to_tell() {
    let peer = Peer::start(calm()).await;
    let written = json!({"phone_number_id": "1", "from": "12015550123", "text": "Hello"});
    assert_eq!(posts(&peer, "inbound", written).await.0, 409);
    let nobody = json!({"phone_number_id": "1", "text": "Hello"});
    assert_eq!(posts(&peer, "inbound", nobody).await.0, 409);
    peer.stop().await;
}
