//! The worker of one sender: claims, sends, writes down, until nothing is due.
//!
//! What came back from the provider is held until it is written down. When the database is away, nothing more is
//! claimed, what is in flight is waited for, and writing is tried again until the claims have been resolved without us.

use std::collections::BTreeSet;
use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::DatabaseError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{Finished, InFlight};
use super::bucket::Bucket;
use super::claims::{self, Claim, Claimed, Settled};
use super::hold::Hold;
use super::settled;
use super::turns::Turn;
use super::verdict::{self, Answer, Effect};
use super::working::Place;
use crate::providers::SendFailure;
use crate::{Notification, NotificationConfig};

/// How often it is looked whether sources are settled while there is more to do.
const ANNOUNCE: Duration = Duration::from_millis(250);

/// The longest nap of a worker that waits for a token.
const NAP: Duration = Duration::from_millis(500);

/// How often writing is tried in vain once the process has to end.
const LAST_TRIES: u32 = 3;

struct Worker<'a> {
    notification: &'a Notification,
    hold: Hold<'a>,
    bucket: Bucket,
    /// Until when the claims made so far hold.
    claimed_until: Instant,
    /// What came back and is not written down yet.
    unwritten: Vec<Settled>,
    /// What the sender is to be stopped with, and why.
    stop_with: Option<(&'static str, String)>,
    /// Sources of which something was settled since they were last looked at, and when to look.
    touched: BTreeSet<String>,
    announce_at: Instant,
    /// A turn that is there already.
    turn: Option<Turn>,
    /// No more claims: told to stop, or the sender was stopped, or the lease is lost, or the database is away.
    draining: bool,
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
    place.keep(worker.bucket);
    worked.and(ended)?;
    place.look_again();
    Ok(())
}

impl<'a> Worker<'a> {
    fn new(notification: &'a Notification, place: &Place, hold: Hold<'a>) -> Self {
        let now = Instant::now();
        Self {
            notification,
            bucket: place.bucket(hold.rate, notification.inner.clock.now()),
            hold,
            claimed_until: now,
            unwritten: Vec::new(),
            stop_with: None,
            touched: BTreeSet::new(),
            announce_at: now + ANNOUNCE,
            turn: None,
            draining: false,
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
                    let nothing_left = self.draining || (allowed > 0 && claimed.is_empty());
                    self.depart(&mut in_flight, claimed);
                    if in_flight.is_empty() && nothing_left {
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

    /// How many messages may be claimed, and the turn to do so, or to write down. What came back while waiting for it
    /// is taken in, and as many more may go.
    async fn allowed_turn(&mut self, in_flight: &mut InFlight) -> (usize, Option<Turn>) {
        let allowed = self.allowance(in_flight.len());
        let ready = self.turn.take();
        if allowed == 0 && self.unwritten.is_empty() {
            return (0, None);
        }
        let turn = match ready {
            Some(turn) => turn,
            None => self.wait_for_turn().await,
        };
        for one in in_flight.back() {
            self.take_in(one);
        }
        (allowed + self.allowance(in_flight.len() + allowed), Some(turn))
    }

    /// Waits for a turn. Prolongs the lease meanwhile.
    async fn wait_for_turn(&mut self) -> Turn {
        let turns = self.notification.inner.turns.clone();
        let mut turn = pin!(turns.take(self.hold.tenant));
        loop {
            match tokio::time::timeout(self.hold.until_prolonging(), turn.as_mut()).await {
                Ok(turn) => break turn,
                Err(_) => self.prolong().await,
            }
        }
    }

    /// How many messages may be claimed now.
    fn allowance(&mut self, in_flight: usize) -> usize {
        let free = self.config().in_flight().saturating_sub(in_flight);
        let now = self.now();
        if self.draining {
            0
        } else {
            self.bucket.take(free, now)
        }
    }

    /// One transaction in two flights: what came back is written down and the next messages are claimed, then the
    /// commit. Tokens that nothing will be sent for go back.
    async fn take_turn(&mut self, allowed: usize) -> Result<Vec<Claimed>, DatabaseError> {
        let turned = self.write_and_claim(allowed).await;
        let sent = turned.as_ref().map_or(0, |claimed| {
            claimed.iter().filter(|message| !message.suppressed).count()
        });
        self.bucket.give_back(allowed - sent);
        turned
    }

    async fn write_and_claim(&mut self, allowed: usize) -> Result<Vec<Claimed>, DatabaseError> {
        if self.unwritten.is_empty() && allowed == 0 {
            return Ok(Vec::new());
        }
        let now = self.now();
        let claim = Claim {
            sender: self.hold.sender,
            holder: self.hold.holder,
            lease: self.config().lease(),
            most: allowed,
        };
        // Not later than by the database's clock, which starts to count when it is asked.
        let claimed_until = Instant::now() + claim.lease;
        let tx = self.notification.inner.database.begin(self.hold.tenant);
        let (written, claimed) = tokio::join!(
            claims::settle(&tx, &self.unwritten, now),
            claims::claim(&tx, claim)
        );
        written?;
        let claimed = claimed?;
        if let Some((status, reason)) = &self.stop_with {
            self.hold.stop(&tx, (status, reason), now).await?;
        }
        tx.commit().await?;
        self.failures = 0;
        self.stop_with = None;
        self.claimed_until = claimed_until;
        self.touched
            .extend(self.unwritten.drain(..).map(|settled| settled.source));
        Ok(claimed)
    }

    /// Sets the claimed messages on their way, but for those that were skipped.
    fn depart(&mut self, in_flight: &mut InFlight, claimed: Vec<Claimed>) {
        for message in claimed {
            if message.suppressed {
                self.touched.insert(message.source);
                continue;
            }
            in_flight.depart(self.notification, &self.hold.account, message, self.claimed_until);
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
            let nap = self.bucket.wait(self.now()).min(NAP);
            tokio::select! {
                () = tokio::time::sleep(nap.min(self.hold.until_prolonging())) => {}
                () = stop.cancelled() => {}
            }
        }
        self.prolong().await;
    }

    /// Takes in what comes back next, and all that is there by then. Prolongs the lease meanwhile.
    async fn next(&mut self, in_flight: &mut InFlight) {
        loop {
            match tokio::time::timeout(self.hold.until_prolonging(), in_flight.next()).await {
                Ok(Some(one)) => break self.take_in(one),
                Ok(None) => break,
                Err(_) => self.prolong().await,
            }
        }
        for one in in_flight.back() {
            self.take_in(one);
        }
    }

    /// Judges what came back.
    fn take_in(&mut self, finished: Finished) {
        let now = self.now();
        let answer = Answer {
            result: &finished.result,
            attempt: finished.attempt,
            now,
            jitter: rand::random(),
        };
        let (verdict, effect) = verdict::judge(self.config(), &answer);
        metrics::counter!("plaza_messages_total", "outcome" => verdict.name()).increment(1);
        if matches!(finished.result, Ok(_) | Err(SendFailure::Refused { .. })) {
            self.bucket.reached();
        }
        match effect {
            Effect::None => {}
            Effect::SlowDown => self.bucket.slow_down(now),
            Effect::Rest => self.bucket.unreached(now, self.config().retry_milliseconds / 4),
            Effect::Stop { status, reason } => {
                // Before anything more of it is claimed.
                self.draining = true;
                self.stop_with = Some((status, reason));
            }
        }
        self.unwritten.push(Settled {
            id: finished.id,
            source: finished.source,
            epoch: finished.epoch,
            verdict,
        });
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
