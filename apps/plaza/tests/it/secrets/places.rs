//! Where something that is secret may turn up: what a backup holds, what processes log, what the collector is told, and what
//! lies on the broker.

use std::time::Duration;

use plaza_testkit::otlp::Collector;
use plaza_testkit::{eventually, python};
use secrecy::ExposeSecret;

use crate::fleet::{Fleet, SERVICES};
use crate::front::{Front, Running};
use crate::superuser::Superuser;

const TAP: &str = include_str!("../../outsider/tap.py");
const PATIENCE: Duration = Duration::from_secs(120);

/// Something to look through: what it is, and its text.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) text: String,
}

/// Copies every event from now on.
pub(super) async fn tap(fleet: &Fleet) {
    let url = fleet.vhost().url();
    python::run(TAP, &["open", url.expose_secret()], PATIENCE).await;
}

/// Everything that this Plaza left anywhere, read while it runs; then it is stopped, so that the collector has its last spans.
pub(super) async fn all(plaza: &mut Running, collector: &Collector) -> Vec<Place> {
    let superuser = plaza.superuser().await;
    let mut places = Vec::new();
    if let Running::Pieces(fleet) = plaza {
        published(&superuser).await;
        places.push(queues(fleet).await);
    }
    places.extend(dump(&superuser).await);
    plaza.stop().await;
    places.extend(plaza.names().into_iter().map(|name| {
        let text = plaza.log(&name);
        assert!(text.contains("DEBUG"), "{name} logs less than it could:\n{text}");
        Place {
            name: format!("log of {name}"),
            text,
        }
    }));
    places.push(traces(collector));
    places
}

/// Waits until every event is on the broker.
async fn published(superuser: &Superuser) {
    let counts = SERVICES.map(|service| format!("(SELECT count(*) FROM {service}.outbox)"));
    let waiting = format!("SELECT {}", counts.join(" + "));
    eventually(PATIENCE, || async { superuser.number(&waiting).await == 0 }).await;
}

async fn queues(fleet: &Fleet) -> Place {
    let url = fleet.vhost().url();
    let text = python::run(TAP, &["print", url.expose_secret()], PATIENCE).await;
    for event in ["tenant.created", "user.registered", "broadcast.send"] {
        assert!(text.contains(event), "{event} is not among what was published");
    }
    Place {
        name: "queues".to_owned(),
        text,
    }
}

/// What `pg_dump` writes, table by table.
async fn dump(superuser: &Superuser) -> Vec<Place> {
    let dump = superuser.dump().await;
    let beside = || Place {
        name: "what the dump says beside tables".to_owned(),
        text: String::new(),
    };
    let (mut places, mut table) = (vec![beside()], None);
    for line in dump.lines() {
        if let Some((name, _)) = line.strip_prefix("COPY ").and_then(|rest| rest.split_once(' ')) {
            table = Some(Place {
                name: format!("the dump of {name}"),
                text: String::new(),
            });
        } else if line == r"\." {
            places.extend(table.take());
        } else {
            let place = table.as_mut().unwrap_or(&mut places[0]);
            place.text.push_str(line);
            place.text.push('\n');
        }
    }
    for known in [
        "identity.once",
        "identity.data_keys",
        "notification.messages",
        "broadcast.audit",
    ] {
        let is_there = |place: &Place| place.name.ends_with(known) && !place.text.is_empty();
        assert!(places.iter().any(is_there), "nothing of {known} is in the dump");
    }
    places
}

/// What exporters sent, attributes and events of spans and all, whatever a collector would make of it.
fn traces(collector: &Collector) -> Place {
    let sent = collector.bodies();
    let text: String = sent.iter().map(|body| String::from_utf8_lossy(body)).collect();
    assert!(
        text.contains("plan batch"),
        "the traces of a campaign are not there"
    );
    Place {
        name: "traces".to_owned(),
        text,
    }
}
