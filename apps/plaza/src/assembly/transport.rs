//! How events travel: in process through the database, or over a broker.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use plaza_contracts::topology::TOPOLOGY;
use plaza_kernel::ServiceName;
use plaza_messaging::{Messaging, MessagingSettings, RabbitMq, RabbitMqSettings, render_topology};

use super::Ground;
use super::services::Services;
use crate::config::EventsSection;

/// Relays and consumers of the services that work here, not started yet; and the broker, if there is one.
///
/// # Errors
/// When the settings of the broker or of a database cannot be used.
pub(super) fn messaging(
    ground: &Ground<'_>,
    services: &Services,
) -> anyhow::Result<(Messaging, Option<Arc<RabbitMq>>)> {
    let (settings, clock) = (settings(&ground.config.events), ground.clock.clone());
    // Who has no events to tell or to hear needs no connection for them.
    let broker = match ground.hosting.assembles.is_empty() {
        true => None,
        false => broker(&ground.config.events, &settings)?,
    };
    let (mut messaging, who): (_, &[ServiceName]) = match &broker {
        Some(broker) => (
            Messaging::over_rabbitmq(Arc::clone(broker), settings, clock),
            &ground.hosting.works,
        ),
        // Without a broker events are queued for whoever is here: that has to be everybody.
        None => (Messaging::in_process(settings, clock), &ground.hosting.assembles),
    };
    for service in who {
        if let Some(subscriptions) = services.subscriptions(*service) {
            messaging.host(ground.database(*service)?, subscriptions);
        }
    }
    Ok((messaging, broker))
}

/// The broker that the settings name; nothing is connected yet.
///
/// # Errors
/// When the URL is none.
pub(crate) fn broker(
    events: &EventsSection,
    settings: &MessagingSettings,
) -> anyhow::Result<Option<Arc<RabbitMq>>> {
    let Some(url) = &events.rabbitmq_url else {
        return Ok(None);
    };
    let broker = RabbitMq::new(url, &TOPOLOGY, RabbitMqSettings::default(), settings.clone())
        .context("events.rabbitmq_url cannot be used")?;
    Ok(Some(Arc::new(broker)))
}

/// What is declared on a broker, as text.
pub(crate) fn render(settings: &MessagingSettings) -> String {
    render_topology(&TOPOLOGY, &RabbitMqSettings::default(), settings)
}

/// How events travel here.
pub(crate) fn settings(events: &EventsSection) -> MessagingSettings {
    MessagingSettings {
        delays: events
            .delays_milliseconds
            .iter()
            .copied()
            .map(Duration::from_millis)
            .collect(),
        ..MessagingSettings::default()
    }
}
