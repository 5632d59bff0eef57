//! What broadcast does when it hears of others' facts.

use chrono::{DateTime, Utc};
use plaza_broadcast::consumers::{NoteOptOut, PauseSender, PauseTripped};
use plaza_contracts::events::{OptOutRecorded, SenderDegraded, SourceTripped};
use plaza_contracts::services::BROADCAST;
use plaza_kernel::Clock;
use plaza_messaging::Consumer;
use serde_json::json;

use crate::town::{Owner, Town, id_of};

async fn hears<C: Consumer>(town: &Town, owner: &Owner, consumer: C, event: &C::Event) {
    let tx = town.database.of(BROADCAST).begin(owner.tenant);
    consumer.consume(&tx, event).await.unwrap();
    tx.commit().await.unwrap();
}

fn tripped(source: &str) -> SourceTripped {
    SourceTripped {
        source: source.to_owned(),
        sender_id: Clock::system().uuid().into(),
        class: "template".to_owned(),
        code: "132015".to_owned(),
        failed: 20,
        tried: 40,
    }
}

#[tokio::test]
async fn a_campaign_that_failed_too_often_is_paused_and_says_why() {
    let town = Town::awake().await;
    let (owner, rival) = (town.owner(), town.owner());
    let id = owner.running().await;
    let event = tripped(&format!("campaign:{id}"));
    let consumer = || PauseTripped::new(Clock::system());
    hears(&town, &rival, consumer(), &event).await;
    hears(&town, &owner, consumer(), &tripped("order:1")).await;
    owner.until(&id, "running").await;
    hears(&town, &owner, consumer(), &event).await;
    // The consumer of the test is not of the process that tells: that one looks by itself.
    let paused = owner.until(&id, "paused").await;
    assert_eq!(paused["state_reason"], "TRIPPED_132015");
    assert_eq!(town.notification.told(), ["hold TRIPPED_132015"]);
    hears(&town, &owner, consumer(), &event).await;
    assert_eq!(
        town.notification.told().len(),
        1,
        "a paused campaign is not paused"
    );
    owner.ask(&id, "resume").await.assert_ok();
    let running = owner.until(&id, "running").await;
    assert_eq!(running.get("state_reason"), None);
}

#[tokio::test]
async fn the_campaigns_of_a_sender_that_cannot_send_are_paused() {
    let town = Town::awake().await;
    let owner = town.owner();
    crate::campaigns::add_ada(&owner).await;
    let template = owner.template().await;
    let [sender, another] = [(), ()].map(|()| Clock::system().uuid().to_string());
    let mut ids = Vec::new();
    for sender in [&sender, &another] {
        let body = json!({"name": "Spring", "template_id": template, "sender_id": sender});
        let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
        owner.send(&id).await.assert_ok();
        owner.until(&id, "running").await;
        ids.push(id);
    }
    let event = SenderDegraded {
        sender_id: sender.parse().unwrap(),
        status: "needs_auth".to_owned(),
        class: "credentials".to_owned(),
        code: "190".to_owned(),
        at: Clock::system().now(),
    };
    hears(&town, &owner, PauseSender::new(Clock::system()), &event).await;
    let paused = owner.until(&ids[0], "paused").await;
    assert_eq!(paused["state_reason"], "SENDER_NEEDS_AUTH");
    owner.until(&ids[1], "running").await;
}

async fn consent(owner: &Owner, recipient: &str) -> (String, Option<String>) {
    let found = owner
        .get(&format!("/recipients/{recipient}"))
        .await
        .assert_ok()
        .value();
    let source = found
        .get("consent_source")
        .map(|source| source.as_str().unwrap().to_owned());
    (found["consent"].as_str().unwrap().to_owned(), source)
}

#[tokio::test]
async fn consent_follows_what_the_person_said_themselves() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let said = async |of: &Owner, action: &str, at: DateTime<Utc>| {
        let event = OptOutRecorded {
            channel: "whatsapp".to_owned(),
            address: "+4915117404120".to_owned(),
            scope: "all".to_owned(),
            action: action.to_owned(),
            source: "stop".to_owned(),
            at,
        };
        hears(&town, of, NoteOptOut, &event).await;
    };
    let ada = json!({"phone": "+4915117404120", "name": "Ada", "opted_in": true});
    let id = id_of(&owner.post("/recipients", &ada).await.assert_ok());
    let theirs = id_of(&rival.post("/recipients", &ada).await.assert_ok());
    let granted = ("granted".to_owned(), Some("api".to_owned()));
    let refused = ("refused".to_owned(), Some("stop".to_owned()));
    let again = ("granted".to_owned(), Some("start".to_owned()));
    let now = || Clock::system().now();

    said(&owner, "out", "2020-01-01T00:00:00Z".parse().unwrap()).await;
    assert_eq!(consent(&owner, &id).await, granted, "they said yes after that");
    said(&owner, "out", now()).await;
    assert_eq!(consent(&owner, &id).await, refused);
    said(&owner, "shrug", now()).await;
    assert_eq!(consent(&owner, &id).await, refused);
    said(&owner, "in", now()).await;
    assert_eq!(consent(&owner, &id).await, again);
    assert_eq!(
        consent(&rival, &theirs).await,
        granted,
        "it was said to another tenant"
    );

    let no = json!({"phone": "+4915117404121", "opted_in": false});
    let bob = id_of(&owner.post("/recipients", &no).await.assert_ok());
    let event = OptOutRecorded {
        channel: "whatsapp".to_owned(),
        address: "+4915117404121".to_owned(),
        scope: "all".to_owned(),
        action: "in".to_owned(),
        source: "start".to_owned(),
        at: now(),
    };
    hears(&town, &owner, NoteOptOut, &event).await;
    let still = ("refused".to_owned(), Some("api".to_owned()));
    assert_eq!(
        consent(&owner, &bob).await,
        still,
        "no was not taken back by a word of the provider"
    );
}

#[tokio::test]
async fn an_objection_that_is_taken_back_leaves_what_was_before_it() {
    let town = Town::awake().await;
    let owner = town.owner();
    let now = || Clock::system().now();
    let said = async |phone: &str, action: &str, source: &str, at: DateTime<Utc>| {
        let event = OptOutRecorded {
            channel: "whatsapp".to_owned(),
            address: phone.to_owned(),
            scope: "all".to_owned(),
            action: action.to_owned(),
            source: source.to_owned(),
            at,
        };
        hears(&town, &owner, NoteOptOut, &event).await;
    };
    let known = |consent: &str, source: Option<&str>| (consent.to_owned(), source.map(str::to_owned));
    for (phone, opted_in, before, after) in [
        (
            "+4915117404120",
            json!(true),
            known("granted", Some("api")),
            known("granted", Some("start")),
        ),
        (
            "+4915117404121",
            json!(false),
            known("refused", Some("api")),
            known("refused", Some("api")),
        ),
        (
            "+4915117404122",
            json!(null),
            known("unknown", None),
            known("unknown", None),
        ),
    ] {
        let id = id_of(
            &owner
                .post("/recipients", &json!({"phone": phone, "opted_in": opted_in}))
                .await
                .assert_ok(),
        );
        assert_eq!(consent(&owner, &id).await, before);
        let first = now();
        said(phone, "out", "review", first).await;
        assert_eq!(consent(&owner, &id).await, known("refused", Some("review")));
        said(phone, "out", "stop", now()).await;
        assert_eq!(consent(&owner, &id).await, known("refused", Some("stop")));
        said(phone, "in", "start", now()).await;
        assert_eq!(consent(&owner, &id).await, after, "{phone}");
        said(phone, "out", "review", first).await;
        said(phone, "in", "start", now()).await;
        assert_eq!(consent(&owner, &id).await, after, "told once more, and late");
    }

    // What a file says later stands, and there is nothing to be taken back.
    let phone = "+4915117404123";
    let id = id_of(
        &owner
            .post("/recipients", &json!({"phone": phone, "opted_in": true}))
            .await
            .assert_ok(),
    );
    said(phone, "out", "stop", now()).await;
    let import = owner
        .import(format!("phone,opted_in\n{phone},no\n").as_bytes())
        .await;
    said(phone, "in", "start", now()).await;
    let source = format!("import:{}", import["id"].as_str().unwrap());
    assert_eq!(consent(&owner, &id).await, known("refused", Some(&source)));
}

#[tokio::test]
async fn an_objection_is_noted_however_the_number_is_spelled() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = id_of(
        &owner
            .post(
                "/recipients",
                &json!({"phone": "+5511987654321", "opted_in": true}),
            )
            .await
            .assert_ok(),
    );
    let said = async |action: &str| {
        let event = OptOutRecorded {
            channel: "whatsapp".to_owned(),
            address: "+551187654321".to_owned(),
            scope: "all".to_owned(),
            action: action.to_owned(),
            source: "stop".to_owned(),
            at: Clock::system().now(),
        };
        hears(&town, &owner, NoteOptOut, &event).await;
        consent(&owner, &id).await.0
    };
    assert_eq!(said("out").await, "refused");
    assert_eq!(said("in").await, "granted");
}
