//! Reads the queue of one consumer, and works on what comes: different keys at the same time, one key in its order.
//!
//! The broker gives the queue to one process at a time (single active consumer). Whoever leaves does so by closing the
//! channel, not by cancelling: so what it holds goes back to its place in front before the next process gets anything.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use plaza_database::{Database, statements};
use plaza_kernel::Clock;
use plaza_kernel::topology::Queue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::desk::{Desk, End};
use super::headers::{self, Read};
use super::lanes::{Lane, Lanes};
use super::reading::Reading;
use super::{RabbitMq, RabbitMqError};
use crate::attempt::Attempt;
use crate::{MessagingSettings, Subscriptions, left_over};

statements! {
    /// Whether the database is there.
    system static PROBE: () => (i32,) = "SELECT 1";
}

/// One consumer's queue.
pub(crate) struct Intake {
    broker: Arc<RabbitMq>,
    queue: &'static Queue,
    desk: Arc<Desk>,
    reading: Reading,
    prefetch: u16,
}

/// Why reading ended without having been told to.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Broker(#[from] RabbitMqError),
    #[error("the broker does not deliver any more: the queue was removed")]
    Cancelled,
    #[error("the database has been away for too long: what was held went back to the broker")]
    DatabaseAway,
}

/// What is being worked on. Dropped, it is broken off and rolled back.
struct Underway {
    tasks: JoinSet<(Lane, End)>,
    lanes: Lanes<Held>,
    /// How often a message that comes again may have been tried without being counted; none before the first message.
    uncounted: Option<i32>,
    /// Whether all that was tried so far is settled.
    settled: bool,
}

/// A message and what could be read of it.
struct Held {
    message: Delivery,
    read: Result<Read, String>,
}

impl Held {
    fn new(message: Delivery) -> Self {
        let read = headers::read(&message);
        Self { message, read }
    }

    fn lane(&self) -> Lane {
        match &self.read {
            Ok(read) => (read.envelope.tenant, read.envelope.key.clone()),
            // Nobody waits for it. No key is that long.
            Err(_) => (None, format!("{:1000}", self.message.delivery_tag)),
        }
    }
}

impl Intake {
    /// One for each consumer of a service.
    ///
    /// # Panics
    /// When a consumer has no queue in the topology, or its queue does not get its event: it would never hear anything.
    pub(crate) fn of(
        broker: &Arc<RabbitMq>,
        database: &Database,
        subscriptions: &Subscriptions,
        settings: &Arc<MessagingSettings>,
        clock: &Clock,
    ) -> Vec<Self> {
        let places = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        let prefetch = settings.most_of_one(subscriptions.names().count());
        let topology = broker.publisher.topology;
        subscriptions
            .all()
            .map(|subscription| {
                let (consumer, event) = (subscription.consumer, subscription.event);
                let queue = topology
                    .queue_of(consumer)
                    .filter(|_| topology.serves(consumer, event));
                let Some(queue) = queue else {
                    panic!("the topology has no queue for the consumer {consumer} of {event}");
                };
                broker.reads_one_more();
                let attempt = Attempt {
                    database: database.clone(),
                    settings: Arc::clone(settings),
                    clock: clock.clone(),
                    handler: Arc::clone(&subscription.handler),
                    consumer,
                };
                let reading = Reading::new(
                    database,
                    consumer,
                    clock.uuid(),
                    broker.publisher.settings.confirm,
                );
                let desk = Desk {
                    queue: queue.name,
                    attempt,
                    publisher: Arc::clone(&broker.publisher),
                    places: Arc::clone(&places),
                };
                Self {
                    broker: Arc::clone(broker),
                    queue,
                    desk: Arc::new(desk),
                    reading,
                    prefetch: u16::try_from(prefetch).unwrap_or(u16::MAX),
                }
            })
            .collect()
    }

    /// Reads until told to stop, whatever happens to the broker. What was begun is finished.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let Attempt {
            database, consumer, ..
        } = &self.desk.attempt;
        tokio::select! {
            () = stop.cancelled() => return,
            () = left_over::consumed(database, consumer) => {}
        }
        let (mut backoff, longest) = (Backoff::default(), self.broker.publisher.settings.pause);
        while !stop.is_cancelled() {
            let Err(broken) = self.read(stop, &mut backoff).await else {
                return;
            };
            let queue = self.queue.name;
            tracing::warn!(
                queue,
                error = &broken as &dyn std::error::Error,
                "a queue is not read for now"
            );
            let pause = self.until_it_makes_sense(&broken, backoff.pause(longest), longest);
            tokio::select! {
                () = stop.cancelled() => {}
                () = pause => {}
            }
        }
    }

    async fn until_it_makes_sense(&self, broken: &Broken, pause: Duration, longest: Duration) {
        tokio::time::sleep(pause).await;
        if matches!(broken, Broken::DatabaseAway) {
            // What is read meanwhile would be given back again, and each time counts as a delivery.
            while !self.database_is_there().await {
                tokio::time::sleep(longest).await;
            }
        }
    }

    async fn database_is_there(&self) -> bool {
        let tx = self.desk.attempt.database.begin_system();
        tx.one(&PROBE, ()).await.is_ok()
    }

    /// Reads until told to stop, or until something breaks.
    async fn read(&self, stop: &CancellationToken, backoff: &mut Backoff) -> Result<(), Broken> {
        let (channel, mut messages) = self.begin().await?;
        tracing::debug!(queue = self.queue.name, "reading a queue");
        backoff.reset();
        let mut underway = Underway {
            tasks: JoinSet::new(),
            lanes: Lanes::new(),
            uncounted: None,
            settled: true,
        };
        let ended = self.work(&mut messages, &mut underway, stop).await;
        // What was begun ends; what was not goes back when the channel is closed.
        while let Some(ended) = underway.tasks.join_next().await {
            underway.settled &= ended.is_ok_and(|(_, end)| end != End::Uncounted);
        }
        if underway.uncounted.is_some() && underway.settled {
            // Before the next reader gets anything.
            self.reading.end().await;
        }
        // It may be gone already.
        let goodbye = channel.close(200, "goodbye".into());
        let _ = tokio::time::timeout(self.broker.publisher.settings.confirm, goodbye).await;
        ended
    }

    async fn begin(&self) -> Result<(Channel, Consumer), RabbitMqError> {
        let connection = self.broker.consuming.connection().await?;
        let publisher = &self.broker.publisher;
        publisher.declarer(&connection).queue(self.queue).await?;
        RabbitMqError::in_time(publisher.settings.answer, self.deliveries(&connection)).await
    }

    async fn deliveries(&self, connection: &Connection) -> Result<(Channel, Consumer), RabbitMqError> {
        let channel = connection.create_channel().await.map_err(RabbitMqError::away)?;
        channel
            .basic_qos(self.prefetch, BasicQosOptions::default())
            .await
            .map_err(RabbitMqError::away)?;
        let messages = channel
            .basic_consume(
                self.queue.name.into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(RabbitMqError::away)?;
        Ok((channel, messages))
    }

    async fn work(
        &self,
        messages: &mut Consumer,
        underway: &mut Underway,
        stop: &CancellationToken,
    ) -> Result<(), Broken> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = underway.tasks.join_next() => {
                    // A task that panicked outside of its consumer leaves its lane closed: begin anew.
                    underway.settled &= ended.as_ref().is_ok_and(|(_, end)| *end != End::Uncounted);
                    let (lane, end) = ended.map_err(|_| Broken::Cancelled)?;
                    if end == End::DatabaseAway {
                        return Err(Broken::DatabaseAway);
                    }
                    if let Some(next) = underway.lanes.leave(&lane) {
                        self.start(next, lane, underway, stop);
                    }
                }
                message = messages.next() => match message {
                    Some(Ok(message)) => {
                        if underway.uncounted.is_none() {
                            let last_ended = self.reading.begin().await;
                            underway.uncounted = last_ended.map(|in_order| i32::from(!in_order));
                        }
                        let held = Held::new(message);
                        let lane = held.lane();
                        if let Some(held) = underway.lanes.enter(&lane, held) {
                            self.start(held, lane, underway, stop);
                        }
                    }
                    Some(Err(error)) => return Err(RabbitMqError::away(error).into()),
                    None => return Err(Broken::Cancelled),
                },
            }
        }
    }

    fn start(&self, held: Held, lane: Lane, underway: &mut Underway, stop: &CancellationToken) {
        let (desk, stop) = (Arc::clone(&self.desk), stop.clone());
        // At the worst.
        let uncounted = underway.uncounted.unwrap_or(1);
        underway.tasks.spawn(async move {
            let end = desk.work(&held.message, held.read, uncounted, &stop).await;
            (lane, end)
        });
    }
}
