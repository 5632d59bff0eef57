//! `plaza events topology`: the table printed, and declared on a broker that has nothing yet.

use std::process::Command;
use std::time::Duration;

use plaza_testkit::python;
use plaza_testkit::rabbitmq::Vhost;
use secrecy::ExposeSecret;

use crate::plaza::{bare, complaint, output, printed};

const PATIENCE: Duration = Duration::from_secs(120);

/// Prints which of the queues and exchanges that were named are there, and what a classic queue makes of a name.
const LOOK: &str = r#"
import sys, pika
connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
def is_there(what, name):
    channel = connection.channel()
    try:
        (channel.queue_declare if what == "queue" else channel.exchange_declare)(name, passive=True)
        return True
    except pika.exceptions.ChannelClosedByBroker:
        return False
what, names = sys.argv[2], sys.argv[3:]
if what == "make":
    connection.channel().queue_declare(names[0], durable=True)
else:
    for name in names:
        print(name, is_there(what, name))
"#;

fn topology(vhost: &Vhost, arguments: &[&str]) -> Command {
    let mut command = bare(&[&["events", "topology"], arguments].concat());
    command
        .current_dir(std::env::temp_dir())
        .env("RABBITMQ_URL", vhost.url().expose_secret());
    command
}

async fn look(vhost: &Vhost, what: &str, names: &[&str]) -> Vec<String> {
    let url = vhost.url();
    let arguments = [&[url.expose_secret(), what], names].concat();
    let told = python::run(LOOK, &arguments, PATIENCE).await;
    told.lines().map(str::to_owned).collect()
}

/// The exchanges and queues that the command prints: `  name (kind)`, and `    name: what it is`.
fn named(table: &str) -> (Vec<&str>, Vec<&str>) {
    let (exchanges, queues) = table.split_once("queues\n").unwrap();
    let exchanges = exchanges
        .lines()
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .map(|line| line.split_once(" (").unwrap().0);
    let queues = queues
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.split_once(": ").unwrap().0);
    (exchanges.collect(), queues.collect())
}

#[tokio::test]
async fn the_table_is_declared_on_an_empty_broker_and_again_without_harm() {
    let vhost = Vhost::new().await;
    let table = printed(&output(topology(&vhost, &[])).await);
    let (exchanges, queues) = named(&table);
    assert_eq!((exchanges.len(), queues.len()), (12, 30 * 6), "{table}");
    let there = |names: &[&str], whether: bool| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("{name} {}", if whether { "True" } else { "False" }))
            .collect()
    };
    assert_eq!(
        look(&vhost, "queue", &queues).await,
        there(&queues, false),
        "printing declares nothing"
    );

    for _ in 0..2 {
        assert_eq!(
            printed(&output(topology(&vhost, &["--apply"])).await),
            "declared\n"
        );
        assert_eq!(look(&vhost, "queue", &queues).await, there(&queues, true));
        assert_eq!(
            look(&vhost, "exchange", &exchanges).await,
            there(&exchanges, true)
        );
    }
}

#[tokio::test]
async fn what_exists_in_another_form_is_named_and_the_rest_is_declared() {
    let vhost = Vhost::new().await;
    look(&vhost, "make", &["mail_service_queue"]).await;
    let told = complaint(&output(topology(&vhost, &["--apply"])).await);
    assert!(
        told.contains("left as it is: ") && told.contains("mail_service_queue"),
        "{told}"
    );
    assert!(told.contains("1 of the table exist in another form"), "{told}");
    let declared = look(&vhost, "queue", &["odoo_user_queue", "unlock_matching_queue"]).await;
    assert_eq!(declared, ["odoo_user_queue True", "unlock_matching_queue True"]);
}
