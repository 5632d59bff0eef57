//! `docs/events.md` is the contract for programs in other languages: it says what the code says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use plaza_contracts::events::{
    BroadcastSend, CampaignStateChanged, ConfigChanged, ImportCompleted, InboundReceived, MemberRemoved,
    MemberRoleChanged, NotificationRequested, OptOutRecorded, OwnerProvisioned, SenderDegraded,
    SourceSettled, SourceTripped, TemplateStateChanged, TenantCreated, TenantDeleted, TenantStateChanged,
    UserRegistered, WebhookReceived,
};
use plaza_contracts::topology::TOPOLOGY;
use plaza_kernel::Event;
use plaza_kernel::topology::{ExchangeKind, Reader};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/events.md");

/// The section of an event, and what it says.
struct Section {
    text: &'static str,
    example: Value,
    /// Name and type of each field.
    fields: Vec<(&'static str, &'static str)>,
}

impl Section {
    fn of(event: &str) -> Self {
        let heading = format!("\n### `{event}`\n");
        let (_, rest) = PAGE
            .split_once(&heading)
            .unwrap_or_else(|| panic!("docs/events.md has no section for {event}"));
        let text = rest.split("\n##").next().unwrap();
        let json = text
            .split("```json\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let json = json.unwrap_or_else(|| panic!("{event} has no example"));
        let fields = text
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .map(|row| {
                let (name, rest) = row.split_once("` | ").unwrap();
                (name, rest.split_once(" | ").unwrap().0)
            });
        Self {
            text,
            example: serde_json::from_str(json).unwrap_or_else(|error| panic!("{event}: {error}")),
            fields: fields.collect(),
        }
    }

    fn says(&self, what: &str) {
        assert!(self.text.contains(what), "docs/events.md has to say: {what}");
    }

    /// The fields of the example, as the table names them.
    fn paths(&self, value: &Value, path: &str, found: &mut BTreeSet<String>) {
        let is_map = |path: &str| {
            self.fields
                .iter()
                .any(|(name, kind)| *name == path && kind.starts_with("map of "))
        };
        match value {
            Value::Object(object) if !is_map(path) => {
                for (name, value) in object {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    found.insert(path.clone());
                    self.paths(value, &path, found);
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.paths(value, &format!("{path}[]"), found);
                }
            }
            _ => {}
        }
    }

    /// The order key as the page composes it, of the example.
    fn order_key(&self) -> String {
        let (_, rest) = self.text.split_once("Order key `").unwrap();
        let mut key = rest.split('`').next().unwrap().to_owned();
        for (name, value) in self.example.as_object().unwrap() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            key = key.replace(&format!("{{{name}}}"), &value);
        }
        key
    }
}

fn is_as_the_page_says<E: Event>() {
    let section = Section::of(E::NAME);
    let event: E = serde_json::from_value(section.example.clone())
        .unwrap_or_else(|error| panic!("the example of {}: {error}", E::NAME));
    assert_eq!(
        serde_json::to_value(&event).unwrap(),
        section.example,
        "the example of {} has exactly its fields",
        E::NAME
    );
    let mut paths = BTreeSet::new();
    section.paths(&section.example, "", &mut paths);
    let told: BTreeSet<String> = section
        .fields
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(told, paths, "the fields of {}", E::NAME);
    assert_eq!(section.order_key(), event.order_key().as_str(), "{}", E::NAME);

    let route = TOPOLOGY.route(E::NAME).unwrap();
    section.says(&format!(", version {}. ", E::VERSION));
    section.says(&format!(
        "Exchange `{}`, routing key `{}`.",
        route.exchange, route.key
    ));
    let readers: Vec<String> = TOPOLOGY
        .hearers(E::NAME)
        .map(|queue| format!("`{}`", queue.name))
        .collect();
    section.says(&match readers.is_empty() {
        true => "Read by nobody in Plaza.".to_owned(),
        false => format!("Read by {}.", readers.join(", ")),
    });
}

/// Every event of the page is checked, and the page has every event: see the two tests.
macro_rules! events {
    ($($event:ident)*) => {
        const CHECKED: &[(&str, &str)] = &[$((stringify!($event), $event::NAME)),*];

        #[test]
        fn every_event_is_as_the_page_says() {
            $(is_as_the_page_says::<$event>();)*
        }
    };
}

events! {
    TenantCreated TenantStateChanged TenantDeleted ConfigChanged UserRegistered MemberRoleChanged MemberRemoved
    OwnerProvisioned
    BroadcastSend NotificationRequested CampaignStateChanged ImportCompleted SourceSettled SourceTripped
    InboundReceived OptOutRecorded TemplateStateChanged SenderDegraded WebhookReceived
}

#[test]
fn the_page_has_every_event_and_no_other() {
    let files = [
        include_str!("../../src/events.rs"),
        include_str!("../../src/events/life.rs"),
        include_str!("../../src/events/outcomes.rs"),
    ];
    let declared: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| line.strip_prefix("impl Event for ")?.strip_suffix(" {"))
        .collect();
    let checked: BTreeSet<&str> = CHECKED.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        checked, declared,
        "add it to `events!` in this file and to docs/events.md"
    );
    let told: BTreeSet<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let names: BTreeSet<&str> = CHECKED.iter().map(|(_, name)| *name).collect();
    assert_eq!(told, names);
}

/// By the page's own word: only whoever runs it can see who publishes.
fn is_published(event: &str) -> bool {
    let declared = CHECKED.iter().any(|(_, name)| *name == event);
    declared && !Section::of(event).text.contains("**Nobody publishes it yet:**")
}

/// The two tables at the end of the page.
fn tables() -> String {
    let mut text = String::from(
        "## Exchanges\n\n| exchange | kind | routing key | queues | published |\n|---|---|---|---|---|\n",
    );
    for route in TOPOLOGY.routes {
        let kind = match TOPOLOGY.exchange(route.exchange).unwrap().kind {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Fanout => "fanout",
        };
        let queues: Vec<String> = TOPOLOGY
            .hearers(route.event)
            .map(|queue| format!("`{}`", queue.name))
            .collect();
        let (exchange, key, queues) = (route.exchange, route.key, queues.join(", "));
        let when = if is_published(route.event) {
            "yes"
        } else {
            "to come"
        };
        writeln!(text, "| `{exchange}` | {kind} | `{key}` | {queues} | {when} |").unwrap();
    }
    text.push_str("\n## Queues\n\n| queue | exchange | bound with | read by |\n|---|---|---|---|\n");
    for queue in TOPOLOGY.queues {
        let keys: Vec<String> = queue.keys.iter().map(|key| format!("`{key}`")).collect();
        let keys = if keys.is_empty() {
            "everything".to_owned()
        } else {
            keys.join(", ")
        };
        let reader = match queue.reader {
            Reader::Consumer(_) => "Plaza, one process at a time",
            Reader::Others => "others, in any number",
        };
        writeln!(
            text,
            "| `{}` | `{}` | {keys} | {reader} |",
            queue.name, queue.exchange
        )
        .unwrap();
    }
    text
}

#[test]
fn the_page_ends_with_the_topology() {
    let tables = tables();
    assert!(
        PAGE.ends_with(&tables),
        "docs/events.md has to end with this:\n\n{tables}"
    );
}
