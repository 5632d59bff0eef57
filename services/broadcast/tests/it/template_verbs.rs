//! Changing, removing and looking at templates.

use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_broadcast::consumers::NoteTemplateState;
use plaza_contracts::events::TemplateStateChanged;
use plaza_contracts::services::BROADCAST;
use plaza_messaging::Consumer as _;
use serde_json::{Value, json};

use crate::town::{Owner, Town, id_of};

fn hello(body: &str) -> Value {
    json!({"name": "hello", "language": "en", "category": "UTILITY", "body": body})
}

#[tokio::test]
async fn a_template_is_changed_in_the_version_that_was_read() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let made = owner.post("/templates", &hello("Hello")).await.assert_ok();
    let path = format!("/templates/{}", id_of(&made));
    let read = owner.get(&path).await.assert_ok();
    let first = read.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!((&*first, read.value()), ("\"v1\"", made.value()));
    let changed = owner.put(&path, &first, &hello("Good morning")).await.assert_ok();
    assert_eq!(changed.headers["etag"], "\"v2\"");
    assert_eq!(changed.value()["body"], "Good morning");
    assert_eq!(owner.get(&path).await.value(), changed.value());

    let stale = owner.put(&path, &first, &hello("Good evening")).await;
    stale.assert_failed(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH");
    let refused = owner.put(&path, "\"v2\"", &hello("Hello {{2}}")).await;
    refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    let theft = rival.put(&path, "\"v2\"", &hello("Mine")).await;
    theft.assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    let mut other = hello("Hallo");
    other["language"] = json!("de");
    owner.post("/templates", &other).await.assert_ok();
    let taken = owner.put(&path, "\"v2\"", &other).await;
    taken.assert_failed(StatusCode::CONFLICT, "TEMPLATE_EXISTS");
    assert_eq!(owner.get(&path).await.value()["body"], "Good morning");
}

#[tokio::test]
async fn a_template_that_a_campaign_waits_with_stays_and_another_gives_its_name_back() {
    let town = Town::awake().await;
    let (owner, rival) = (town.owner(), town.owner());
    let id = owner.campaign().await;
    let template = owner.get(&format!("/campaigns/{id}")).await.value()["template_id"].clone();
    let path = format!("/templates/{}", template.as_str().unwrap());
    let in_use = owner.delete(&path).await;
    in_use.assert_failed(StatusCode::CONFLICT, "TEMPLATE_IN_USE");
    let theft = rival.delete(&path).await;
    theft.assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    owner.send(&id).await.assert_ok();
    owner.until(&id, "completed").await;
    owner.delete(&path).await.assert_status(StatusCode::NO_CONTENT);

    for gone in [
        owner.get(&path).await,
        owner.delete(&path).await,
        owner.put(&path, "\"v1\"", &hello("Hello")).await,
        owner.post(&format!("{path}/preview"), &json!({})).await,
        owner
            .post("/campaigns", &json!({"name": "New", "template_id": template}))
            .await,
    ] {
        gone.assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    }
    assert!(owner.all("/templates").await.is_empty());
    let sent = owner.get(&format!("/campaigns/{id}")).await.assert_ok().value();
    assert_eq!(sent["template_id"], template, "what was sent keeps it");
    owner.post("/templates", &hello("Hello again")).await.assert_ok();
}

#[tokio::test]
async fn a_template_is_not_removed_beside_a_campaign_that_is_made_with_it() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    for number in 0..10 {
        let mut template = hello("Hello");
        template["name"] = json!(format!("hello_{number}"));
        let id = id_of(&owner.post("/templates", &template).await.assert_ok());
        let body = json!({"name": "Race", "template_id": id});
        let path = format!("/templates/{id}");
        let (made, removed) = tokio::join!(owner.post("/campaigns", &body), owner.delete(&path));
        assert_ne!(
            made.status.is_success(),
            removed.status.is_success(),
            "{made}{removed}"
        );
    }
}

#[tokio::test]
async fn a_draft_whose_template_became_advertising_is_not_sent_as_anything_else() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let template = id_of(&owner.post("/templates", &hello("Hello")).await.assert_ok());
    let body = json!({"name": "Receipt", "template_id": template, "class": "utility"});
    let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
    let mut advertising = hello("Buy now");
    advertising["category"] = json!("MARKETING");
    let path = format!("/templates/{template}");
    owner.put(&path, "\"v1\"", &advertising).await.assert_ok();
    owner
        .send(&id)
        .await
        .assert_failed(StatusCode::CONFLICT, "CLASS_MISMATCH");
}

#[tokio::test]
async fn a_preview_shows_the_text_and_what_to_know_of_it() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let template = json!({"name": "sale", "language": "en", "category": "MARKETING",
        "body": "Hello {{1}}, {{2}} off in {{3}}",
        "variables": ["name", {"literal": "20 %"}, {"field": "attrs.city", "default": "your town"}]});
    let path = format!(
        "/templates/{}/preview",
        id_of(&owner.post("/templates", &template).await.assert_ok())
    );
    let preview = async |values: Value| {
        owner
            .post(&path, &json!({"values": values}))
            .await
            .assert_ok()
            .value()
    };
    let codes = |preview: &Value| -> Vec<String> {
        let warnings = preview["warnings"].as_array().unwrap().iter();
        warnings
            .map(|warning| warning["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let bare = preview(json!([])).await;
    assert_eq!(bare["text"], "Hello {{1}}, 20 % off in your town");
    assert_eq!(codes(&bare), ["MISSING_VALUE"]);
    let whole = preview(json!(["Ada\n{{2}}", "30 %", "Berlin"])).await;
    assert_eq!(whole["text"], "Hello Ada {{2}}, 30 % off in Berlin");
    assert_eq!(
        whole["segments"],
        json!({"encoding": "gsm7", "units": 39, "count": 1})
    );
    assert_eq!(codes(&whole), [""; 0]);
    let smiling = preview(json!(["☺"])).await;
    assert_eq!(
        (&smiling["segments"]["encoding"], codes(&smiling)),
        (&json!("ucs2"), vec!["UNICODE".to_owned()])
    );
    let long = preview(json!(["x".repeat(1_024), "y".repeat(1_024)])).await;
    assert_eq!(codes(&long), ["TOO_LONG"]);
    for (values, pointer) in [
        (json!(["", "", "", ""]), "/values"),
        (json!(["x".repeat(1_025)]), "/values/0"),
    ] {
        let refused = owner.post(&path, &json!({"values": values})).await;
        let refused = refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
        assert_eq!(refused.value()["errors"][0]["pointer"], pointer);
    }
}

async fn says(town: &Town, owner: &Owner, sender: &str, state: &str, at: &str) {
    let event = TemplateStateChanged {
        sender_id: sender.parse().unwrap(),
        name: "hello".to_owned(),
        language: "en".to_owned(),
        state: state.to_owned(),
        reason: "QUALITY".to_owned(),
        at: at.parse::<DateTime<Utc>>().unwrap(),
    };
    let tx = town.database.of(BROADCAST).begin(owner.tenant);
    NoteTemplateState.consume(&tx, &event).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_the_provider_said_last_of_a_template_decides_whether_it_is_sent() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let [sender, another] = [(), ()].map(|()| plaza_kernel::Clock::system().uuid().to_string());
    let template = owner.template().await;
    let body = json!({"name": "Spring", "template_id": template, "sender_id": sender});
    let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
    says(&town, &owner, &sender, "PAUSED", "2027-01-15T08:00:00Z").await;
    says(&town, &owner, &another, "approved", "2027-01-15T08:00:00Z").await;
    // Heard late: it was said before.
    says(&town, &owner, &sender, "approved", "2027-01-15T07:00:00Z").await;
    says(&town, &town.owner(), &sender, "approved", "2027-01-16T08:00:00Z").await;
    let path = format!("/templates/{template}");
    let states = owner.get(&path).await.assert_ok().value()["states"].clone();
    let found = states.as_array().unwrap();
    assert_eq!(found.len(), 2);
    let of_sender = found.iter().find(|said| said["sender_id"] == sender).unwrap();
    assert_eq!(
        (&of_sender["state"], &of_sender["reason"]),
        (&json!("paused"), &json!("QUALITY"))
    );
    owner
        .send(&id)
        .await
        .assert_failed(StatusCode::CONFLICT, "TEMPLATE_NOT_APPROVED");
    let preview = owner
        .post(&format!("{path}/preview"), &json!({"values": ["Ada"]}))
        .await;
    assert_eq!(preview.value()["warnings"][0]["code"], "NOT_APPROVED");
    says(&town, &owner, &sender, "approved", "2027-01-15T09:00:00Z").await;
    owner.send(&id).await.assert_ok();
}
