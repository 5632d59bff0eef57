//! What notification does when it hears of a batch or of a tenant.

use plaza_contracts::events::{BroadcastSend, MessageContent, TenantCreated};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::services::NOTIFICATION;
use plaza_kernel::Clock;
use plaza_messaging::{outbox, pending};

use crate::stage::{Stage, batch, campaign, people, quick};

#[tokio::test]
async fn a_batch_that_is_delivered_again_is_queued_once() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let all = batch(campaign(), stage.sender, 0, &people(100));
    for _ in 0..3 {
        // Each has an event id of its own: the message ids alone tell the repetition.
        stage.publish(&all).await;
    }
    stage.settle().await;
    assert_eq!(stage.states().await["queued"], 100);
    stage
        .sql("UPDATE notification.messages SET state = 'delivered'")
        .await;
    stage.publish(&all).await;
    stage.settle().await;
    assert_eq!(
        stage.states().await["delivered"],
        100,
        "what was sent is not queued again"
    );
}

#[tokio::test]
async fn a_batch_that_can_never_be_queued_becomes_a_dead_letter() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let strange = batch(campaign(), SenderId::generate(&Clock::system()), 0, &people(2));
    stage.publish(&strange).await;
    let mut carrier = batch(campaign(), stage.sender, 0, &people(2));
    carrier.messages[0].channel = "pigeon".to_owned();
    stage.publish(&carrier).await;
    stage.settle().await;
    assert!(stage.states().await.is_empty(), "all of a batch or nothing");
    assert_eq!(pending(&stage.database.of(NOTIFICATION)).await.unwrap().dead, 2);
}

#[tokio::test]
async fn a_batch_by_an_event_is_looked_at_like_one_by_a_call() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let MessageContent::Template { name, language, body } = batch(campaign(), stage.sender, 0, &people(1))
        .messages[0]
        .content
        .clone();
    let content = |name: &str, body: Vec<String>| MessageContent::Template {
        name: name.to_owned(),
        language: language.clone(),
        body,
    };
    let breaks: [&dyn Fn(&mut BroadcastSend); 5] = [
        &|event| event.messages.clear(),
        &|event| event.messages = batch(campaign(), stage.sender, 0, &people(501)).messages,
        &|event| event.messages[1].to = "everybody".to_owned(),
        &|event| event.messages[1].content = content("Hello!", body.clone()),
        &|event| event.messages[1].content = content(&name, vec!["x".repeat(1_025)]),
    ];
    for spoil in &breaks {
        let mut event = batch(campaign(), stage.sender, 0, &people(2));
        spoil(&mut event);
        stage.publish(&event).await;
    }
    stage.settle().await;
    assert!(stage.states().await.is_empty(), "all of a batch or nothing");
    assert_eq!(
        pending(&stage.database.of(NOTIFICATION)).await.unwrap().dead,
        breaks.len() as i64
    );
}

#[tokio::test]
async fn a_batch_goes_to_the_tenant_it_is_of() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let mut rival = batch(campaign(), stage.sender, 0, &people(1));
    let id: MessageId = rival.messages.remove(0).message_id;
    rival.messages = batch(campaign(), stage.sender, 0, &people(1)).messages;
    let database = stage.database.of(NOTIFICATION);
    let tx = database.begin(plaza_testkit::callers::tenant());
    outbox::append(&tx, &Clock::system(), &rival).await.unwrap();
    tx.commit().await.unwrap();
    stage.settle().await;
    assert!(
        stage.states().await.is_empty(),
        "another tenant's sender is no sender: {id}"
    );
}

async fn senders_of_a_new_tenant(development: bool) -> Vec<serde_json::Value> {
    let mut config = quick();
    config.development_sender = development;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    let created = TenantCreated {
        tenant_id: plaza_testkit::callers::tenant(),
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        admin_email: "owner@acme.example".to_owned(),
    };
    let database = stage.database.of(NOTIFICATION);
    let tx = database.begin(created.tenant_id);
    outbox::append(&tx, &Clock::system(), &created).await.unwrap();
    tx.commit().await.unwrap();
    stage.settle().await;
    plaza_testkit::assert_nothing_unhandled(&database).await;
    let owner = crate::stage::owner(&stage.mounted, created.tenant_id);
    let list = owner
        .get("/api/v1/notifications/senders")
        .await
        .assert_ok()
        .value();
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_new_tenant_gets_a_development_sender_only_where_the_settings_say_so() {
    let senders = senders_of_a_new_tenant(true).await;
    assert_eq!(senders.len(), 1);
    assert_eq!(
        (&senders[0]["name"], &senders[0]["status"]),
        (&"Development".into(), &"active".into())
    );
    assert!(senders_of_a_new_tenant(false).await.is_empty());
}
