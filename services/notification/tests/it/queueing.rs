//! What notification does when it hears of a batch or of a tenant.

use plaza_contracts::events::{MessageContent, OutgoingMessage, TenantCreated};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::services::NOTIFICATION;
use plaza_kernel::Clock;
use plaza_messaging::{outbox, pending};

use crate::holding::Source;
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
    let mut empty = batch(campaign(), stage.sender, 0, &people(1));
    empty.messages.clear();
    stage.publish(&empty).await;
    let many = batch(campaign(), stage.sender, 0, &people(501));
    stage.publish(&many).await;
    stage.settle().await;
    assert!(stage.states().await.is_empty(), "all of a batch or nothing");
    assert_eq!(pending(&stage.database.of(NOTIFICATION)).await.unwrap().dead, 3);
}

#[tokio::test]
async fn one_message_that_no_provider_takes_fails_alone() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let MessageContent::Template { language, body, .. } = batch(campaign(), stage.sender, 0, &people(1))
        .messages[0]
        .content
        .clone()
    else {
        panic!("a template")
    };
    let content = |name: &str, body: Vec<String>| MessageContent::Template {
        name: name.to_owned(),
        language: language.clone(),
        body,
        header: None,
        buttons: Vec::new(),
    };
    type Spoil<'a> = &'a dyn Fn(&mut OutgoingMessage);
    let breaks: [(&str, Spoil<'_>); 8] = [
        ("channel", &|message| message.channel = "pigeon".to_owned()),
        ("channel", &|message| {
            message.channel = "sms".to_owned();
            let (body, preview_url, reply_to) = ("Hello".to_owned(), false, None);
            message.content = MessageContent::Text {
                body,
                preview_url,
                reply_to,
            };
        }),
        ("to", &|message| message.to = "every\0body".to_owned()),
        ("to", &|message| message.to = "4".repeat(1_000_000)),
        ("class", &|message| message.class = Some("spam\0".to_owned())),
        ("zone", &|message| message.zone = Some("Z".to_owned())),
        ("template", &|message| {
            message.content = content("Hello!", body.clone())
        }),
        ("template", &|message| {
            message.content = content("hello", vec!["x".repeat(1_025)])
        }),
    ];
    for (at, (field, spoil)) in breaks.iter().enumerate() {
        let mut event = batch(campaign(), stage.sender, 0, &people(3));
        // The first one too: by its channel a sender is looked for.
        let spoilt = at % 2;
        spoil(&mut event.messages[spoilt]);
        stage.publish(&event).await;
        stage.settle().await;
        for (at, message) in event.messages.iter().enumerate() {
            let found = stage.message(message.message_id).await;
            let expected = if at == spoilt { "failed" } else { "queued" };
            assert_eq!(found["state"], expected, "{field}: {found}");
        }
        let failed = stage.message(event.messages[spoilt].message_id).await;
        assert_eq!(failed["error_code"], "UNACCEPTABLE");
        assert_eq!(failed["error_text"], format!("`{field}` is not acceptable"));
        let source = Source::of(&stage, event.campaign_id);
        assert_eq!(source.retry(&[]).await.unwrap().requeued, 0, "it stays wrong");
    }
    plaza_testkit::assert_nothing_unhandled(&stage.database.of(NOTIFICATION)).await;
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
