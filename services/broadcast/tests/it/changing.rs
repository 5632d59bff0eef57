//! Changing campaigns that were not sent yet.

use http::StatusCode;
use serde_json::json;

use crate::town::{Owner, Town, id_of};

async fn version(owner: &Owner, path: &str) -> String {
    let reply = owner.get(path).await.assert_ok();
    let etag = reply.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"v{}\"", reply.value()["version"]));
    etag
}

#[tokio::test]
async fn a_draft_is_changed_in_the_version_that_was_read() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.campaign().await;
    let path = format!("/campaigns/{id}");
    let first = version(&owner, &path).await;
    let change = json!({"name": "Summer", "audience": {"country": "Germany"}, "channel": "sms"});
    let changed = owner.put(&path, &first, &change).await.assert_ok();
    let second = changed.headers["etag"].to_str().unwrap().to_owned();
    let changed = changed.value();
    assert_eq!(
        (
            &changed["name"],
            &changed["audience"]["country"],
            &changed["channel"]
        ),
        (&json!("Summer"), &json!("DE"), &json!("sms"))
    );
    assert_eq!(changed["class"], "marketing", "what is not named stays");
    assert_ne!(first, second);
    assert_eq!(owner.get(&path).await.value(), changed);

    let stale = owner.put(&path, &first, &json!({"name": "Autumn"})).await;
    stale.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    let blind = owner
        .client
        .put(&format!("{}{path}", crate::town::API), &json!({"name": "Autumn"}))
        .await;
    blind.assert_failed(StatusCode::PRECONDITION_REQUIRED, "IF_MATCH_REQUIRED");
    assert_eq!(owner.get(&path).await.value()["name"], "Summer");

    // It was sent meanwhile: that is another version.
    owner.send(&id).await.assert_ok();
    let late = owner.put(&path, &second, &json!({"name": "Autumn"})).await;
    late.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    let now = version(&owner, &path).await;
    let late = owner.put(&path, &now, &json!({"name": "Autumn"})).await;
    late.assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_told_to_read_again() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let path = format!("/campaigns/{}", owner.campaign().await);
    let first = version(&owner, &path).await;
    let (one, other) = (json!({"name": "One"}), json!({"name": "Other"}));
    let (one, other) = tokio::join!(owner.put(&path, &first, &one), owner.put(&path, &first, &other));
    let (won, lost) = if one.status == StatusCode::OK {
        (one, other)
    } else {
        (other, one)
    };
    lost.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    assert_eq!(
        owner.get(&path).await.value()["name"],
        won.assert_ok().value()["name"]
    );
}

#[tokio::test]
async fn what_could_not_be_made_cannot_be_changed_to() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let path = format!("/campaigns/{}", owner.campaign().await);
    let first = version(&owner, &path).await;
    for (change, pointer) in [
        (json!({"name": " "}), "/name"),
        (json!({"audience": {"opted_in": false}}), "/audience/opted_in"),
        (
            json!({"class": "utility", "audience": {"opted_in": true}}),
            "/class",
        ),
        (json!({"audience": {"country": "Atlantis"}}), "/audience/country"),
        (json!({"state": "running"}), ""),
    ] {
        let reply = owner.put(&path, &first, &change).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
        let found = reply.value()["errors"][0]["pointer"].clone();
        assert!(pointer.is_empty() || found == pointer, "{found} is not {pointer}");
    }
    let template = rival.template().await;
    let theft = owner.put(&path, &first, &json!({"template_id": template})).await;
    theft.assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    let import = plaza_kernel::Clock::system().uuid();
    let audience = json!({"audience": {"import_id": import}});
    let nowhere = owner.put(&path, &first, &audience).await;
    nowhere.assert_failed(StatusCode::NOT_FOUND, "IMPORT_NOT_FOUND");
    assert_eq!(version(&owner, &path).await, first, "nothing of it was written");
}

#[tokio::test]
async fn a_campaign_by_sms_carries_its_text_and_one_by_whatsapp_its_values() {
    let town = Town::awake().await;
    let owner = town.owner();
    crate::campaigns::add_ada(&owner).await;
    let template = owner.template().await;
    let expires = plaza_kernel::Clock::system().now() + chrono::TimeDelta::hours(1);
    for (channel, content) in [
        ("sms", json!({"type": "text", "body": "Hello Ada!"})),
        (
            "whatsapp",
            json!({"type": "template", "name": "hello", "language": "en", "body": ["Ada"]}),
        ),
    ] {
        let body =
            json!({"name": channel, "template_id": template, "channel": channel, "expires_at": expires});
        let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
        owner.send(&id).await.assert_ok();
        owner.until(&id, "running").await;
        let sent = town.sent().await;
        let event = sent
            .iter()
            .find(|event| event.campaign_id.to_string() == id)
            .unwrap();
        let message = &event.messages[0];
        assert_eq!(serde_json::to_value(&message.content).unwrap(), content);
        assert_eq!(
            (message.channel.as_str(), message.class.as_deref()),
            (channel, Some("marketing"))
        );
        assert_eq!(
            message.expires_at.unwrap().timestamp_micros(),
            expires.timestamp_micros()
        );
    }
}
