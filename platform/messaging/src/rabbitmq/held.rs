//! One message that is held: the attempt, and what becomes of it. Acknowledged only when that is durable elsewhere.
//!
//! Whatever is interrupted (a crash, a broken connection, the end of the process) leaves the message with the broker,
//! which delivers it again; the inbox keeps its effect to one.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::desk::{Desk, End};
use super::headers::{self, Read};
use super::queues;
use crate::attempt::Outcome;
use crate::tries;
use crate::waiting::{Head, Place};
use crate::{Envelope, error_text};

/// The longest pause before something that failed is tried again while a message is held.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The work cannot go on: the message stays with the broker.
pub(super) struct Interrupted;

/// A message on the desk.
pub(super) struct Held<'a> {
    desk: &'a Desk,
    message: &'a Delivery,
    uncounted: i32,
    stop: &'a CancellationToken,
    /// Whether the consumer was asked.
    tried: AtomicBool,
}

impl<'a> Held<'a> {
    pub(super) fn new(
        desk: &'a Desk,
        message: &'a Delivery,
        uncounted: i32,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            desk,
            message,
            uncounted,
            stop,
            tried: AtomicBool::new(false),
        }
    }

    pub(super) fn was_tried(&self) -> bool {
        self.tried.load(Ordering::Relaxed)
    }
}

impl Held<'_> {
    pub(super) async fn event(&self, read: &Read) -> Result<End, Interrupted> {
        let envelope = &read.envelope;
        let attempt = &self.desk.attempt;
        let Some(tenant) = envelope.tenant else {
            let reason = "it belongs to no tenant";
            return self
                .bury(envelope, None, read.before.saturating_add(1), reason)
                .await;
        };
        let place = Place {
            tenant,
            consumer: attempt.consumer,
            event: envelope.id,
            key: envelope.key.clone(),
            counted: read.again,
        };
        // What comes for the first time is counted without asking anybody.
        let mut number = (!read.again).then(|| read.before.saturating_add(1));
        let (mut backoff, since) = (Backoff::default(), Instant::now());
        loop {
            let (outcome, number) = self.attempt(read, &place, &mut number).await?;
            match outcome {
                Outcome::Done | Outcome::Repeated => break,
                Outcome::NotNow(head) => {
                    if self.behind(envelope, &place, &head, number - 1).await? {
                        break;
                    }
                }
                Outcome::NotBegun(error) => {
                    let error = error_text::chain(&error);
                    tracing::warn!(consumer = attempt.consumer, event = %envelope.id, error, "a delivery could not begin");
                    if since.elapsed() > self.desk.publisher.settings.hold {
                        return Ok(End::DatabaseAway);
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

    /// One attempt, and its number. It is counted once, before it begins.
    async fn attempt(
        &self,
        read: &Read,
        place: &Place,
        counted: &mut Option<i32>,
    ) -> Result<(Outcome<Head>, i32), Interrupted> {
        // Not begun while stopping, nor for a message that somebody else may have by now.
        let permit = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Interrupted),
            permit = self.desk.places.acquire() => permit.map_err(|_| Interrupted)?,
        };
        if !self.message.acker.usable() {
            return Err(Interrupted);
        }
        let attempt = &self.desk.attempt;
        let number = match *counted {
            Some(number) => number,
            None => match tries::begin(&attempt.database, place, read.before, self.uncounted).await {
                Ok(number) => *counted.insert(number),
                Err(error) => return Ok((Outcome::NotBegun(error), read.before.saturating_add(1))),
            },
        };
        let outcome = attempt.make(&read.envelope, place, number).await;
        drop(permit);
        if !matches!(outcome, Outcome::NotNow(_) | Outcome::NotBegun(_)) {
            self.tried.store(true, Ordering::Relaxed);
        }
        Ok((outcome, number))
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
        self.to_retry(envelope, attempts, attempts).await?;
        self.forget_tries(place).await
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
        self.forget_tries(place).await?;
        Ok(true)
    }

    /// The message that replaces this one carries the number of its tries.
    async fn forget_tries(&self, place: &Place) -> Result<(), Interrupted> {
        if place.counted {
            let database = &self.desk.attempt.database;
            self.insist("the end of its tries", || tries::forget(database, place))
                .await?;
        }
        Ok(())
    }

    async fn to_retry(&self, envelope: &Envelope, level: i32, before: i32) -> Result<(), Interrupted> {
        let queue = queues::retry(self.desk.queue, usize::try_from(level).unwrap_or(1));
        // It was read, so it can be written.
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
        // The one that is refused because there were too many tries was none.
        let attempts = number.min(self.desk.attempt.settings.deliveries());
        self.to_dead_letters(attempts, reason).await?;
        if let Some(place) = place {
            let database = &self.desk.attempt.database;
            self.insist("its place", || place.remove(database)).await?;
            self.forget_tries(place).await?;
        }
        self.desk.attempt.buried(envelope, attempts, reason);
        self.acknowledge().await;
        Ok(End::Settled)
    }

    pub(super) async fn unreadable(&self, reason: &str) -> Result<(), Interrupted> {
        let attempts = headers::tries_before(self.message).saturating_add(1);
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
