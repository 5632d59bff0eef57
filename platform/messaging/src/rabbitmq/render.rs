//! The topology as text, for people who set up or look after a broker.

use std::fmt::Write as _;

use plaza_kernel::topology::{ExchangeKind, Topology};

use super::{RabbitMqSettings, queues};
use crate::MessagingSettings;

/// All exchanges with the events that go there, and all queues as they are declared.
pub fn render_topology(
    topology: &Topology,
    settings: &RabbitMqSettings,
    messaging: &MessagingSettings,
) -> String {
    let mut text = String::from("exchanges\n");
    for exchange in topology.exchanges {
        let kind = settings
            .exchange_kinds
            .get(exchange.name)
            .unwrap_or(&exchange.kind);
        let kind = match kind {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Fanout => "fanout",
        };
        line(&mut text, 2, &format!("{} ({kind})", exchange.name));
        let here = topology
            .routes
            .iter()
            .filter(|route| route.exchange == exchange.name);
        for route in here {
            let heard: Vec<&str> = topology.hearers(route.event).map(|queue| queue.name).collect();
            let heard = if heard.is_empty() {
                "nobody".to_owned()
            } else {
                heard.join(", ")
            };
            line(&mut text, 4, &format!("{} -> {heard}", route.key));
        }
    }
    text.push_str("queues\n");
    for queue in topology.queues {
        line(&mut text, 2, &format!("{} (from {})", queue.name, queue.exchange));
        for declared in queues::all(queue, messaging, settings) {
            line(&mut text, 4, &format!("{}: {}", declared.name, declared.told));
        }
    }
    text
}

fn line(text: &mut String, indent: usize, content: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{content}", "");
}
