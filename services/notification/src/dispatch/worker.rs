//! The worker of one sender: claims, sends, writes down, until nothing is due.
//!
//! What came back from the provider is held until it is written down. When the database is away, nothing more is
//! claimed, what is in flight is waited for, and writing is tried again until the claims have been resolved without us.

mod answers;
mod claiming;

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;
use plaza_database::DatabaseError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::InFlight;
use super::claims::Settled;
use super::hold::Hold;
use super::lessons::Lessons;
use super::settled;
use super::turns::Turn;
use super::working::{Memory, Place};
use crate::{Notification, NotificationConfig};

/// How often it is looked whether sources are settled while there is more to do.
const ANNOUNCE: Duration = Duration::from_millis(250);

/// The longest nap of a worker that waits for a token.
const NAP: Duration = Duration::from_millis(500);

/// The nap of a worker whose tenant may send nothing more just now.
const LIMITED: Duration = Duration::from_millis(50);

/// The longest that an answer waits for others, to be written down with them.
const TOGETHER: Duration = Duration::from_millis(5);

/// How often the queue is looked through from its beginning while there is more to do.
const ALL: Duration = Duration::from_millis(250);

/// How often writing is tried in vain once the process has to end.
const LAST_TRIES: u32 = 3;

struct Worker<'a> {
    notification: &'a Notification,
    hold: Hold<'a>,
    memory: Memory,
    /// Until when the claims made so far hold.
    claimed_until: Instant,
    /// What came back and is not written down yet.
    unwritten: Vec<Settled>,
    /// What the answers said besides, and is not written down yet.
    lessons: Lessons,
    /// Sources of which something was settled since they were last looked at, and when to look.
    touched: BTreeSet<String>,
    announce_at: Instant,
    /// A turn that is there already.
    turn: Option<Turn>,
    /// What was claimed last and when it was due, and when to look from the beginning again.
    after: Option<(DateTime<Utc>, MessageId)>,
    all_at: Instant,
    /// How long the last transaction took.
    took: Duration,
    /// No more claims: told to stop, or the sender was stopped, or the lease is lost, or the database is away.
    draining: bool,
    /// The tenant's limit allowed less than was due.
    limited: bool,
    /// Failures of the database in a row.
    failures: u32,
}

/// Works a sender until nothing of it is due, or another process works it.
pub(super) async fn run(
    notification: &Notification,
    place: &Place,
    stop: CancellationToken,
) -> Result<(), DatabaseError> {
    let (tenant, _) = place.key();
    let turn = notification.inner.turns.take(tenant).await;
    let Some(hold) = Hold::take(notification, place.key()).await? else {
        return Ok(());
    };
    let mut worker = Worker::new(notification, place, hold);
    // What took the lease goes on to claim: with a turn for each of the two, many senders would be long in beginning.
    worker.turn = Some(turn);
    let worked = worker.work(&stop).await;
    worker.announce().await;
    // The lease goes back whatever happened, or nobody could go on before it runs out.
    let turn = notification.inner.turns.take(tenant).await;
    let ended = worker.hold.end().await;
    drop(turn);
    place.keep(worker.memory);
    worked.and(ended)?;
    place.look_again();
    Ok(())
}

impl<'a> Worker<'a> {
    fn new(notification: &'a Notification, place: &Place, hold: Hold<'a>) -> Self {
        let now = Instant::now();
        Self {
            notification,
            memory: place.memory(hold.rate, notification.inner.clock.now()),
            hold,
            claimed_until: now,
            unwritten: Vec::new(),
            lessons: Lessons::default(),
            touched: BTreeSet::new(),
            announce_at: now + ANNOUNCE,
            turn: None,
            after: None,
            all_at: now + ALL,
            took: Duration::ZERO,
            draining: false,
            limited: false,
            failures: 0,
        }
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<(), DatabaseError> {
        let mut in_flight = InFlight::default();
        loop {
            self.draining |= stop.is_cancelled();
            let (allowed, mut turn) = self.allowed_turn(&mut in_flight).await;
            let turned = self.take_turn(allowed).await;
            if let (Some(turn), Ok(claimed)) = (&mut turn, &turned) {
                turn.used_for(claimed.len());
            }
            drop(turn);
            match turned {
                Ok(claimed) => {
                    let nothing_left = self.draining || (allowed > 0 && claimed.is_empty() && !self.limited);
                    self.depart(&mut in_flight, claimed);
                    if in_flight.is_empty() && self.unwritten.is_empty() && nothing_left {
                        return Ok(());
                    }
                }
                Err(error) => self.bear(error, in_flight.is_empty(), stop)?,
            }
            if Instant::now() >= self.announce_at {
                self.announce().await;
            }
            self.wait(&mut in_flight, stop).await;
        }
    }

    /// The database failed: nothing more is claimed, and what is unwritten is kept. Given up once nobody waits for it
    /// any more: by then the sweeper has resolved every claim of ours.
    fn bear(
        &mut self,
        error: DatabaseError,
        landed: bool,
        stop: &CancellationToken,
    ) -> Result<(), DatabaseError> {
        self.draining = true;
        self.failures += 1;
        let resolved = self.claimed_until + self.config().unknown_wait();
        let in_vain = Instant::now() >= resolved || (stop.is_cancelled() && self.failures >= LAST_TRIES);
        if landed && (in_vain || self.unwritten.is_empty()) {
            return Err(error);
        }
        tracing::warn!(sender = %self.hold.sender, error = &error as &dyn Error, "outcomes not written down yet");
        Ok(())
    }

    /// Waits for something to do: an answer, the database, or a token.
    async fn wait(&mut self, in_flight: &mut InFlight, stop: &CancellationToken) {
        if !in_flight.is_empty() {
            self.next(in_flight).await;
        } else if self.failures > 0 {
            tokio::time::sleep(Duration::from_millis(100 << self.failures.min(4))).await;
        } else {
            let least = if self.limited { LIMITED } else { Duration::ZERO };
            let nap = self.memory.bucket.wait(self.now()).max(least).min(NAP);
            tokio::select! {
                () = tokio::time::sleep(nap.min(self.hold.until_prolonging())) => {}
                () = stop.cancelled() => {}
            }
        }
        self.prolong().await;
    }

    /// Without the lease nothing more is claimed; what is in flight is ours all the same, its rows say so.
    async fn prolong(&mut self) {
        match self.hold.prolong().await {
            Ok(held) => self.draining |= !held,
            Err(error) => {
                self.draining = true;
                tracing::warn!(sender = %self.hold.sender, error = &error as &dyn Error, "lease not prolonged");
            }
        }
    }

    /// Whoever waits for an announcement that is lost here asks for the counts now and then.
    async fn announce(&mut self) {
        self.announce_at = Instant::now() + ANNOUNCE;
        let touched = std::mem::take(&mut self.touched);
        if let Err(error) = settled::announce(self.notification, self.hold.tenant, &touched).await {
            tracing::warn!(sender = %self.hold.sender, error = &error as &dyn Error, "settled sources not announced");
            self.touched.extend(touched);
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.notification.inner.clock.now()
    }

    fn config(&self) -> &'a NotificationConfig {
        &self.notification.inner.config
    }
}
