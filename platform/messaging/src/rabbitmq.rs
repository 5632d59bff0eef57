//! The RabbitMQ transport.
//!
//! Publishing is a window of confirms (`publisher.rs`), over a connection that is made anew whenever it breaks
//! (`link.rs`) and on which the topology is declared first (`declare.rs`, `queues.rs`). Consuming reads a queue per
//! consumer (`intake.rs`) and decides what becomes of each message (`held.rs`).
//!
//! Broker libraries can recover connections by themselves, but give up after some attempts and cannot tell which
//! publications got through. Here nothing is recovered: what was not confirmed was not published, what was not
//! acknowledged is delivered again, and everything is built anew.

mod backoff;
mod dead;
mod declare;
mod desk;
mod error;
mod headers;
mod held;
mod inspect;
mod intake;
mod lanes;
mod link;
mod publisher;
mod queues;
mod reading;
mod render;
mod settings;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lapin::uri::AMQPUri;
use plaza_kernel::topology::Topology;
use plaza_kernel::{Failure as _, Kind, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::link::Link;
use self::publisher::{Message, Publisher};
use crate::{Envelope, MessagingSettings, Publish, Taken, Transport, TransportError};

pub(crate) use self::dead::Fate;
pub use self::error::RabbitMqError;
pub use self::inspect::BrokerState;
pub(crate) use self::intake::Intake;
pub use self::render::render_topology;
pub use self::settings::RabbitMqSettings;

/// How often it is looked whether the connections are there.
const LOOK: Duration = Duration::from_millis(200);

/// RabbitMQ, or what speaks like it.
pub struct RabbitMq {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) consuming: Arc<Link>,
    /// How many queues are read here.
    readers: AtomicUsize,
}

impl RabbitMq {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is not `amqp://user:password@host:port/vhost` or `amqps://…`.
    pub fn new(
        url: &SecretString,
        topology: &'static Topology,
        settings: RabbitMqSettings,
        messaging: MessagingSettings,
    ) -> Result<Self, RabbitMqError> {
        let uri = address(url, &settings)?;
        let settings = Arc::new(settings);
        let link = Link::new("publishing", uri.clone(), Arc::clone(&settings));
        let consuming = Link::new("consuming", uri, Arc::clone(&settings));
        Ok(Self {
            publisher: Arc::new(Publisher::new(link, topology, settings, messaging)),
            consuming: Arc::new(consuming),
            readers: AtomicUsize::new(0),
        })
    }

    /// Whether the connections that are needed here are there, and the broker takes messages.
    pub fn is_connected(&self) -> bool {
        let publishes = self
            .publisher
            .link
            .current()
            .is_some_and(|connection| !connection.status().blocked());
        let reads = self.readers.load(Ordering::Relaxed) == 0 || self.consuming.current().is_some();
        publishes && reads
    }

    /// The table that this broker is to have, as text.
    pub fn render_topology(&self) -> String {
        let publisher = &self.publisher;
        render_topology(publisher.topology, &publisher.settings, &publisher.messaging)
    }

    /// Declares all of the table, again and again without harm. Answers with what exists in another form: that is left
    /// as it is.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn apply_topology(&self) -> Result<Vec<RabbitMqError>, RabbitMqError> {
        let connection = self.publisher.link.connection().await?;
        self.publisher.declarer(&connection).all().await
    }

    /// One more queue is read here.
    pub(crate) fn reads_one_more(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the connections until told to stop: without it they are made when something is published.
    pub(crate) async fn keep(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            // Both say themselves why they fail.
            if self.publisher.ready().await.is_ok() && self.readers.load(Ordering::Relaxed) > 0 {
                let _ = self.consuming.connection().await;
            }
            #[expect(clippy::cast_precision_loss, reason = "0 or 1")]
            metrics::gauge!("plaza_broker_connected").set(usize::from(self.is_connected()) as f64);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Says goodbye; whatever is used after that connects again.
    pub async fn close(&self) {
        self.consuming.close().await;
        self.publisher.link.close().await;
    }

    /// The message that an event is.
    fn message<'a>(&self, envelope: &'a Envelope) -> Result<Message<'a>, TransportError> {
        let publisher = &self.publisher;
        let most = publisher.settings.largest_body;
        if envelope.payload.len() > most {
            return Err(TransportError::refused(format!(
                "its body has more than {most} bytes"
            )));
        }
        // A program before this one may relay what it does not know yet: one that knows it follows.
        let route = publisher
            .topology
            .route(&envelope.name)
            .ok_or_else(|| TransportError::away(format!("there is no route for {}", envelope.name)))?;
        Ok(Message {
            exchange: route.exchange,
            key: route.key,
            body: envelope.payload.as_bytes(),
            properties: headers::write(envelope, 0).map_err(TransportError::refused)?,
            mandatory: self.is_heard(envelope),
        })
    }

    fn is_heard(&self, envelope: &Envelope) -> bool {
        self.publisher.topology.hearers(&envelope.name).next().is_some()
    }

    /// One window: the answers to these events of the batch, and whether the broker is away.
    async fn wave(&self, wave: &[&Envelope], until: Instant) -> (Publish, bool) {
        let mut answers: Vec<Option<Result<Taken, TransportError>>> = Vec::with_capacity(wave.len());
        let mut messages = Vec::with_capacity(wave.len());
        for envelope in wave {
            match self.message(envelope) {
                Ok(message) => {
                    messages.push(message);
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        let confirms = self.publisher.window(messages, Some(until)).await;
        let away = confirms
            .iter()
            .any(|confirm| matches!(confirm, Err(error) if error.kind() == Kind::Unavailable));
        let mut confirms = confirms.into_iter();
        let answers = wave.iter().zip(answers).map(|(envelope, answer)| {
            answer.unwrap_or_else(|| match confirms.next() {
                Some(Ok(())) if self.is_heard(envelope) => Ok(Taken::Kept),
                Some(Ok(())) => Ok(Taken::Unheard),
                Some(Err(error)) => Err(TransportError::new(error.kind(), error)),
                None => Err(TransportError::away(RabbitMqError::Unconfirmed)),
            })
        });
        (answers.collect(), away)
    }
}

impl Transport for RabbitMq {
    /// Windows of events of different keys: what a key has second waits until the first is confirmed. So a broker that
    /// refuses the first, or goes away in between, never has the second without it.
    ///
    /// A batch of one key is as many windows as events. When the time is over, those that were confirmed are answered so.
    fn publish<'a>(&'a self, batch: &'a [Envelope], until: Instant) -> BoxFuture<'a, Publish> {
        async move {
            let mut answers: HashMap<usize, Result<Taken, TransportError>> =
                HashMap::with_capacity(batch.len());
            let mut blocked: HashSet<(Option<TenantId>, &str)> = HashSet::new();
            let mut left: Vec<usize> = (0..batch.len()).collect();
            while !left.is_empty() && Instant::now() < until {
                let mut lanes = HashSet::new();
                let (wave, later): (Vec<usize>, Vec<usize>) =
                    left.into_iter().partition(|at| lanes.insert(batch[*at].lane()));
                let events: Vec<&Envelope> = wave.iter().map(|at| &batch[*at]).collect();
                let (taken, away) = self.wave(&events, until).await;
                for (at, answer) in wave.iter().zip(taken) {
                    if answer.is_err() {
                        blocked.insert(batch[*at].lane());
                    }
                    answers.insert(*at, answer);
                }
                left = if away { Vec::new() } else { later };
                left.retain(|at| !blocked.contains(&batch[*at].lane()));
            }
            let behind = || {
                Err(TransportError::away(
                    "the broker or what came before it took too long",
                ))
            };
            (0..batch.len())
                .map(|at| answers.remove(&at).unwrap_or_else(behind))
                .collect()
        }
        .boxed()
    }
}

/// What the URL says, with our own patience.
fn address(url: &SecretString, settings: &RabbitMqSettings) -> Result<AMQPUri, RabbitMqError> {
    let mut uri: AMQPUri = url.expose_secret().parse().map_err(|_| RabbitMqError::Address)?;
    let milliseconds = settings.connect.as_millis();
    uri.query.connection_timeout = Some(u64::try_from(milliseconds).unwrap_or(u64::MAX));
    uri.query.heartbeat = Some(
        u16::try_from(settings.heartbeat.as_secs())
            .unwrap_or(u16::MAX)
            .max(1),
    );
    Ok(uri)
}
