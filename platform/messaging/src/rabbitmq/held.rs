//! One message that is held: the attempt, and what becomes of it. Acknowledged only when that is durable elsewhere.
//!
//! Whatever is interrupted (a crash, a broken connection, the end of the process) leaves the message with the broker,
//! which delivers it again; the inbox keeps its effect to one.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::headers::{self, Read};
use super::publisher::Publisher;
use super::queues;
use crate::attempt::{Attempt, Outcome};
use crate::waiting::{Head, Place};
use crate::{Envelope, error_text};

/// The longest pause before something that failed is tried again while a message is held.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the messages of one queue are worked on with.
pub(crate) struct Desk {
    pub(crate) queue: &'static str,
    pub(crate) attempt: Attempt,
    pub(crate) publisher: Arc<Publisher>,
    /// Shared by the consumers of the service: each place holds a connection to the database while it works.
    pub(crate) places: Arc<Semaphore>,
}

/// How the work on a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is acknowledged, or with the broker again.
    Settled,
    /// The database has been away for too long: everything that is held goes back to the broker.
    GiveBack,
}

/// The work cannot go on: the message stays with the broker.
struct Interrupted;

/// A message on the desk.
struct Held<'a> {
    desk: &'a Desk,
    message: &'a Delivery,
    stop: &'a CancellationToken,
}

impl Desk {
    /// Works on a message until it is settled.
    pub(crate) async fn work(
        &self,
        message: &Delivery,
        read: Result<Read, String>,
        stop: &CancellationToken,
    ) -> End {
        let held = Held {
            desk: self,
            message,
            stop,
        };
        let ended = match read {
            Ok(read) => held.event(&read).await,
            Err(reason) => held.unreadable(&reason).await.map(|()| End::Settled),
        };
        match ended {
            Ok(end) => end,
            Err(Interrupted) => {
                tracing::debug!(
                    queue = self.queue,
                    tag = message.delivery_tag,
                    "a message goes back to the broker"
                );
                End::Settled
            }
        }
    }
}

impl Held<'_> {
    async fn event(&self, read: &Read) -> Result<End, Interrupted> {
        let Read { envelope, before } = read;
        let number = before.saturating_add(1);
        let attempt = &self.desk.attempt;
        let Some(tenant) = envelope.tenant else {
            let reason = "it belongs to no tenant";
            return self.bury(envelope, None, number, reason).await;
        };
        let place = Place {
            tenant,
            consumer: attempt.consumer,
            event: envelope.id,
            key: envelope.key.clone(),
        };
        let (mut backoff, since) = (Backoff::default(), Instant::now());
        loop {
            match self.attempt(envelope, &place, number).await? {
                Outcome::Done | Outcome::Repeated => break,
                Outcome::NotNow(head) => {
                    if self.behind(envelope, &place, &head, *before).await? {
                        break;
                    }
                }
                Outcome::NotBegun(error) => {
                    let error = error_text::chain(&error);
                    tracing::warn!(consumer = attempt.consumer, event = %envelope.id, error, "a delivery could not begin");
                    if since.elapsed() > self.desk.publisher.settings.hold {
                        return Ok(End::GiveBack);
                    }
                    self.pause(&mut backoff).await?;
                }
                Outcome::Failed(error) => match attempt.settings.delay_after(number) {
                    Some(delay) => {
                        tracing::warn!(consumer = attempt.consumer, event = %envelope.id, attempts = number, error, "a delivery failed");
                        self.again(envelope, &place, number, delay).await?;
                        break;
                    }
                    None => return self.bury(envelope, Some(&place), number, &error).await,
                },
                Outcome::Refused(error) => {
                    return self.bury(envelope, Some(&place), number, &error).await;
                }
            }
        }
        self.acknowledge().await;
        Ok(End::Settled)
    }

    async fn attempt(
        &self,
        envelope: &Envelope,
        place: &Place,
        number: i32,
    ) -> Result<Outcome<Head>, Interrupted> {
        // Not begun while stopping, nor for a message that somebody else may have by now.
        let permit = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Interrupted),
            permit = self.desk.places.acquire() => permit.map_err(|_| Interrupted)?,
        };
        if !self.message.acker.usable() {
            return Err(Interrupted);
        }
        let outcome = self.desk.attempt.make(envelope, place, number).await;
        drop(permit);
        Ok(outcome)
    }

    /// To the retry queue of this many attempts. Its place is written down before: what comes after it waits.
    async fn again(
        &self,
        envelope: &Envelope,
        place: &Place,
        attempts: i32,
        delay: Duration,
    ) -> Result<(), Interrupted> {
        let database = &self.desk.attempt.database;
        self.insist("its place", || place.failed(database, attempts, delay))
            .await?;
        self.to_retry(envelope, attempts, attempts).await
    }

    /// To the retry queue behind the first of its key. False if there is no need any more.
    async fn behind(
        &self,
        envelope: &Envelope,
        place: &Place,
        head: &Head,
        before: i32,
    ) -> Result<bool, Interrupted> {
        let (level, settings) = (head.level_behind(), &self.desk.attempt.settings);
        let delay = settings.delay_after(level).unwrap_or_default();
        let database = &self.desk.attempt.database;
        if !self
            .insist("its place", || place.behind(database, head, delay))
            .await?
        {
            return Ok(false);
        }
        self.to_retry(envelope, level, before).await?;
        Ok(true)
    }

    async fn to_retry(&self, envelope: &Envelope, level: i32, before: i32) -> Result<(), Interrupted> {
        let queue = queues::retry(self.desk.queue, usize::try_from(level).unwrap_or(1));
        // It came with this name, so it can go with it.
        let properties = headers::write(envelope, before).map_err(|_| Interrupted)?;
        let body = envelope.payload.as_bytes();
        let publisher = &self.desk.publisher;
        self.insist("the message", || {
            publisher.to_queue(&queue, body, properties.clone())
        })
        .await
    }

    async fn bury(
        &self,
        envelope: &Envelope,
        place: Option<&Place>,
        number: i32,
        reason: &str,
    ) -> Result<End, Interrupted> {
        // The one that is refused because there were too many deliveries was none.
        let attempts = number.min(self.desk.attempt.settings.deliveries());
        self.to_dead_letters(attempts, reason).await?;
        if let Some(place) = place {
            let database = &self.desk.attempt.database;
            self.insist("its place", || place.remove(database)).await?;
        }
        self.desk.attempt.buried(envelope, attempts, reason);
        self.acknowledge().await;
        Ok(End::Settled)
    }

    async fn unreadable(&self, reason: &str) -> Result<(), Interrupted> {
        let attempts = headers::deliveries_before(self.message).saturating_add(1);
        self.to_dead_letters(attempts, reason).await?;
        let consumer = self.desk.attempt.consumer;
        metrics::counter!("plaza_dead_letters_total", "consumer" => consumer).increment(1);
        tracing::error!(consumer, reason, "dead letter: a message that is no event");
        self.acknowledge().await;
        Ok(())
    }

    async fn to_dead_letters(&self, attempts: i32, reason: &str) -> Result<(), Interrupted> {
        let now = self.desk.attempt.clock.now();
        let properties = headers::dead(&self.message.properties, attempts, reason, now);
        let queue = queues::dead(self.desk.queue);
        let publisher = &self.desk.publisher;
        self.insist("the dead letter", || {
            publisher.to_queue(&queue, &self.message.data, properties.clone())
        })
        .await
    }

    /// Tries until it works, while the message is ours.
    async fn insist<T, E, F>(&self, what: &'static str, mut work: impl FnMut() -> F) -> Result<T, Interrupted>
    where
        E: Display,
        F: Future<Output = Result<T, E>>,
    {
        let mut backoff = Backoff::default();
        loop {
            if !self.message.acker.usable() {
                return Err(Interrupted);
            }
            match work().await {
                Ok(done) => return Ok(done),
                Err(error) => {
                    let queue = self.desk.queue;
                    tracing::warn!(queue, what, %error, "what becomes of a message could not be written down yet");
                    self.pause(&mut backoff).await?;
                }
            }
        }
    }

    async fn pause(&self, backoff: &mut Backoff) -> Result<(), Interrupted> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Interrupted),
            () = tokio::time::sleep(backoff.pause(LONGEST_PAUSE)) => Ok(()),
        }
    }

    /// If that does not get through, the message comes again, and the inbox knows it.
    async fn acknowledge(&self) {
        if let Err(error) = self.message.acker.ack(BasicAckOptions::default()).await {
            tracing::debug!(queue = self.desk.queue, %error, "a message could not be acknowledged");
        }
    }
}
