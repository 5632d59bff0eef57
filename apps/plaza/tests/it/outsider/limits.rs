//! A login with the permissions of `docs/events.md` does what the page says, and nothing else.

use std::collections::BTreeMap;

use plaza_testkit::python;
use plaza_testkit::rabbitmq::{Permissions, Vhost};
use secrecy::ExposeSecret;

use super::{OWN, Outsider, PATIENCE, page};
use crate::plaza::{bare, output, printed};

const INTRUDER: &str = include_str!("../../outsider/intruder.py");
/// AMQP 0-9-1 §1.2: access-refused.
const REFUSED: u16 = 403;

/// A broker with the topology of Plaza, and nobody there.
async fn declared() -> Vhost {
    let vhost = Vhost::new().await;
    let mut apply = bare(&["events", "topology", "--apply"]);
    apply
        .current_dir(std::env::temp_dir())
        .env("RABBITMQ_URL", vhost.url().expose_secret());
    assert_eq!(printed(&output(apply).await), "declared\n");
    vhost
}

fn as_printed() -> Permissions {
    Permissions {
        topics: Some(page::topics("crm")),
        ..page::permissions("crm")
    }
}

#[tokio::test]
async fn the_program_of_the_page_runs_as_printed_with_the_permissions_of_the_page() {
    let vhost = declared().await;
    let crm = Outsider::of(vhost.login(&as_printed()).await);
    let plaza = Outsider::of(vhost.url());
    let run = async {
        let arguments = [crm.url.as_str()];
        python::run(page::example(), &arguments, PATIENCE).await
    };
    let speak = async {
        // Nobody else has bound this one: it is taken as soon as the program has.
        let state = r#"{"campaign_id": "c", "from": "draft", "to": "planning"}"#;
        let key = "broadcast.campaign.state_changed";
        for id in ["a", "b", "a"] {
            let id = format!("01990000-0000-7000-8000-00000000000{id}");
            plaza.run("send", &["plaza.events", key, &id, state]).await;
        }
        // A program whose queue is gone has nothing left to do.
        crm.run("drop", &[OWN]).await;
    };
    let (told, ()) = tokio::join!(run, speak);
    let line = "broadcast.campaign.state_changed {'campaign_id': 'c', 'from': 'draft', 'to': 'planning'}\n";
    assert_eq!(told, line.repeat(2), "each event once");
}

#[tokio::test]
async fn a_login_of_the_page_reaches_nothing_of_plaza() {
    let vhost = declared().await;
    let crm = Outsider::of(vhost.login(&as_printed()).await);
    crm.run("declare", &[OWN, "tenant.created"]).await;
    let attempts = async |outsider: &Outsider| -> BTreeMap<String, u16> {
        let told = python::run(INTRUDER, &[&outsider.url], PATIENCE).await;
        serde_json::from_str(&told).unwrap()
    };
    let said = attempts(&crm).await;
    let allowed: Vec<_> = said.iter().filter(|(_, code)| **code != REFUSED).collect();
    assert!(allowed.is_empty() && said.len() > 15, "{said:?}");

    // They are attempts that somebody could make: whoever has all rights is refused none of them.
    let said = attempts(&Outsider::of(vhost.url())).await;
    let refused: Vec<_> = said.iter().filter(|(_, code)| **code == REFUSED).collect();
    assert!(refused.is_empty(), "{said:?}");
}
