//! Somebody who knows `docs/events.md` and nothing else: a consumer in Python that shares no code with Plaza, with a login
//! that has the permissions of the page.

mod limits;
mod page;

use std::time::Duration;

use plaza_testkit::{eventually, python};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{folder, printed};
use crate::story;

const CONSUMER: &str = include_str!("../outsider/consumer.py");
const PATIENCE: Duration = Duration::from_secs(180);
/// Its queue.
const OWN: &str = "crm.contacts";
/// What it wants to know; the last one is a pattern.
const KEYS: [&str; 4] = [
    "tenant.created",
    "user.registered",
    "broadcast.send",
    "broadcast.campaign.#",
];
/// Somebody whom it cannot stand.
const POISON: &str = "poison@acme.example";
/// Numbers that are kept free for fiction.
const PEOPLE: &str = "name,phone,opted_in\nAda,+12025550111,yes\nDan,+12025550117,yes\n";

struct Outsider {
    url: String,
}

impl Outsider {
    fn of(url: SecretString) -> Self {
        Self {
            url: url.expose_secret().to_owned(),
        }
    }

    async fn run(&self, command: &str, arguments: &[&str]) -> String {
        let arguments = [&[command, self.url.as_str()], arguments].concat();
        python::run(CONSUMER, &arguments, PATIENCE).await
    }

    async fn read(&self, queue: &str, count: usize, poison: &str) -> Value {
        let printed = self.run("read", &[queue, &count.to_string(), poison]).await;
        serde_json::from_str(&printed).unwrap()
    }
}

#[tokio::test]
async fn a_consumer_in_python_reads_events_and_rejects_what_it_cannot_stand() {
    let mut fleet = Fleet::start().await;
    let outsider = Outsider::of(fleet.vhost().login(&page::permissions("crm")).await);
    outsider.run("declare", &[&[OWN], &KEYS[..]].concat()).await;

    let admin = story::administrator(&fleet).await;
    let acme = story::tenant(&admin, "acme").await;
    let invited = acme
        .owner
        .post("/api/v1/auth/users", json!({"email": POISON}))
        .await;
    invited.ok();
    let campaign = a_campaign_to_two(&acme.owner).await;

    // The tenant, its owner, the messages, and each state of the campaign.
    let told = outsider.read(OWN, 6, POISON).await;
    let events = told["handled"].as_array().unwrap();
    let created = event(events, "tenant.created");
    let payload = json!({
        "tenant_id": acme.id, "slug": "acme", "name": "acme", "admin_email": "owner@acme.example",
    });
    assert_eq!(created["payload"], payload);
    for (name, source, key) in [
        ("tenant.created", "tenancy", acme.id.as_str()),
        ("user.registered", "identity", ""),
        ("broadcast.send", "broadcast", ""),
        ("broadcast.campaign.state_changed", "broadcast", &campaign),
    ] {
        is_as_documented(event(events, name), name, source, &acme.id, key);
    }
    let registered = event(events, "user.registered");
    assert_eq!(
        (&registered["payload"]["email"], &registered["payload"]["role"]),
        (&json!("owner@acme.example"), &json!("owner"))
    );
    let sent = &event(events, "broadcast.send")["payload"];
    assert_eq!(sent["campaign_id"], campaign);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 2);
    assert_eq!(sent["messages"][0]["content"]["type"], "template");
    let states = events
        .iter()
        .filter(|event| event["routing_key"] == "broadcast.campaign.state_changed")
        .map(|event| {
            (
                event["payload"]["from"].as_str().unwrap(),
                event["payload"]["to"].as_str().unwrap(),
            )
        });
    assert_eq!(
        states.collect::<Vec<_>>(),
        [
            ("draft", "planning"),
            ("planning", "running"),
            ("running", "completed")
        ],
        "in the order in which it happened"
    );
    died_after_five(&told, OWN, |payload| payload["email"] == POISON);

    reads_a_queue_that_waits_for_it(&fleet).await;
    fleet.stop().await;
}

/// A queue of the table that Plaza does not read itself. Nobody publishes there yet but another outsider.
async fn reads_a_queue_that_waits_for_it(fleet: &Fleet) {
    let login = async |name| Outsider::of(fleet.vhost().login(&page::permissions(name)).await);
    let (reader, publisher) = (login("mailer").await, login("shop").await);
    let (exchange, queue) = ("mail.exchange.direct", "mail_service_queue");
    let [good, bad, last] = ["a", "b", "c"].map(|end| format!("01990000-0000-7000-8000-00000000000{end}"));
    let body = r#"{"to": "ada@acme.example"}"#;
    // At least once: the same one twice.
    for (id, body) in [(&good, body), (&good, body), (&bad, r#"{"to": "poison"}"#)] {
        publisher.run("send", &[exchange, "mail.send", id, body]).await;
    }
    publisher.run("send", &[exchange, "mail.send", &last, body]).await;
    let told = reader.read(queue, 2, "poison").await;
    let events = told["handled"].as_array().unwrap();
    let ids: Vec<&Value> = events
        .iter()
        .map(|event| &event["properties"]["message_id"])
        .collect();
    assert_eq!(ids, [&json!(good), &json!(last)]);
    assert_eq!(told["repetitions"], 1);
    died_after_five(&told, queue, |payload| payload["to"] == "poison");

    let list = ["events", "dlq", "list", queue];
    let listed = || async { printed(&fleet.run(&list).await) };
    let letter = listed().await;
    let fields: Vec<&str> = letter.trim_end().split('\t').collect();
    assert_eq!(
        (fields[0], fields[1], fields[2], fields[4]),
        (queue, bad.as_str(), "mail.send", "5"),
        "{letter}"
    );
    let replay = ["events", "dlq", "replay", queue, &bad];
    assert_eq!(printed(&fleet.run(&replay).await), "1 replayed\n");
    assert_eq!(listed().await, "");
    let again = reader.read(queue, 0, "poison").await;
    died_after_five(&again, queue, |payload| payload["to"] == "poison");
    let discard = ["events", "dlq", "discard", queue, &bad];
    assert_eq!(printed(&fleet.run(&discard).await), "1 discarded\n");
    eventually(PATIENCE, || async { listed().await.is_empty() }).await;
}

async fn a_campaign_to_two(owner: &Api) -> String {
    let folder = folder();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, PEOPLE).unwrap();
    assert_eq!(story::import(owner, &file).await["counts"]["valid"], 2);
    let template = story::template(owner).await;
    let campaign = story::campaign(owner, "Spring", &template).await;
    story::send(owner, &campaign).await;
    story::completed(owner, &campaign).await;
    campaign
}

fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let found = events.iter().find(|event| event["routing_key"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {events:?}"))
}

/// Exchange, routing key, properties and headers as `docs/events.md` promises them. A key that is empty may be any.
fn is_as_documented(event: &Value, name: &str, source: &str, tenant: &str, key: &str) {
    let (properties, headers) = (&event["properties"], &event["headers"]);
    assert_eq!(
        (&event["exchange"], &event["routing_key"]),
        (&json!("plaza.events"), &json!(name))
    );
    assert_eq!(properties["content_type"], "application/json");
    assert_eq!(properties["delivery_mode"], 2);
    assert_eq!(properties["type"], name);
    assert!(properties["timestamp"].as_u64().unwrap() > 0);
    assert_eq!(headers["cloudEvents_id"], properties["message_id"]);
    for (attribute, value) in [
        ("specversion", "1.0"),
        ("type", name),
        ("source", source),
        ("tenantid", tenant),
    ] {
        assert_eq!(headers[format!("cloudEvents_{attribute}")], value, "{event}");
    }
    let text = |header: &str| {
        headers[header]
            .as_str()
            .unwrap_or_else(|| panic!("no {header}: {event}"))
    };
    assert!(text("cloudEvents_time").ends_with('Z'), "{event}");
    let (told, any) = (text("cloudEvents_partitionkey"), key.is_empty());
    assert!(if any { !told.is_empty() } else { told == key }, "{event}");
    assert_eq!(text("traceparent"), text("cloudEvents_traceparent"));
    assert_eq!(headers["x-version"], 1);
}

/// Exactly one event died, and it was delivered five times before.
fn died_after_five(told: &Value, queue: &str, poison: impl Fn(&Value) -> bool) {
    let (refused, buried) = (
        told["refused"].as_object().unwrap(),
        told["buried"].as_array().unwrap(),
    );
    assert_eq!((refused.len(), buried.len()), (1, 1), "{told}");
    assert_eq!(refused.values().next().unwrap(), 5, "{told}");
    assert!(poison(&buried[0]["event"]["payload"]), "{told}");
    assert_eq!(
        (&buried[0]["queue"], &buried[0]["reason"]),
        (&json!(queue), &json!("delivery_limit"))
    );
}
