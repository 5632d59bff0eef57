//! The half of a worker that claims: as many messages as may go, in the transaction that writes down what came back.

use std::pin::pin;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;
use plaza_database::{DatabaseError, TenantTx};
use tokio::time::Instant;

use super::{ALL, Worker};
use crate::conversations::reply::READ_NOTICE;
use crate::dispatch::attempt::InFlight;
use crate::dispatch::claims::{self, Claim, Claimed, Settled};
use crate::dispatch::turns::Turn;
use crate::dispatch::verdict::Verdict;
use crate::dispatch::{limits, plans};
use crate::windows;

impl Worker<'_> {
    /// How many messages may be claimed, and the turn to do so, or to write down. What came back while waiting for it
    /// is taken in, and as many more may go.
    pub(super) async fn allowed_turn(&mut self, in_flight: &mut InFlight) -> (usize, Option<Turn>) {
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
            self.memory.bucket.take(free, now)
        }
    }

    /// One transaction, in two flights where answers taught nothing and the tenant limits nothing: what came back is written
    /// down and the next messages are claimed, then the commit. Tokens that nothing will be sent for go back.
    pub(super) async fn take_turn(&mut self, allowed: usize) -> Result<Vec<Claimed>, DatabaseError> {
        let begun = Instant::now();
        let turned = self.write_and_claim(allowed).await;
        self.took = begun.elapsed();
        let sent = turned.as_ref().map_or(0, |claimed| {
            claimed.iter().filter(|message| message.is_to_be_sent()).count()
        });
        self.memory.bucket.give_back(allowed - sent);
        turned
    }

    async fn write_and_claim(&mut self, allowed: usize) -> Result<Vec<Claimed>, DatabaseError> {
        if self.unwritten.is_empty() && allowed == 0 {
            return Ok(Vec::new());
        }
        let now = self.now();
        // Not later than by the database's clock, which starts to count when the transaction begins: that is with its first
        // statement, and those before the claim may wait.
        let claimed_until = Instant::now() + self.config().lease();
        let tx = self.notification.inner.database.begin(self.hold.tenant);
        // A source is locked before its messages are.
        self.lessons
            .about_sources(self.notification, &self.hold, &tx)
            .await?;
        let most = self.within_limit(&tx, allowed).await?;
        let claim = Claim {
            sender: self.hold.sender,
            holder: self.hold.holder,
            lease: self.config().lease(),
            most,
            after: self.beginning(),
        };
        let (planned, written, claimed) = tokio::join!(
            biased;
            plans::recent(&tx),
            claims::settle(&tx, &self.unwritten, now),
            Self::claim(&tx, claim),
        );
        planned.and(written)?;
        let mut claimed = claimed?;
        if most > 0 {
            claimed.extend(Self::before(&tx, claim, claimed.len()).await?);
            self.after = claimed.iter().map(|message| (message.due_at, message.id)).max();
        }
        self.count(&tx, &mut claimed).await?;
        self.lessons
            .about_the_rest(self.notification, &self.hold, &tx, now)
            .await?;
        tx.commit().await?;
        if !self.unwritten.is_empty() {
            plaza_telemetry::crash::point("dispatch.settled");
        }
        if !claimed.is_empty() {
            plaza_telemetry::crash::point("dispatch.claimed");
        }
        self.failures = 0;
        // Where less is due than the limit allows, it is not the limit that is in the way.
        self.limited = most < allowed && claimed.len() == most;
        self.hold.written(&std::mem::take(&mut self.lessons));
        self.claimed_until = claimed_until;
        self.touched
            .extend(self.unwritten.drain(..).map(|settled| settled.source));
        Ok(claimed)
    }

    /// After what the queue is to be looked through. What became due before that (it was held, or another worker had it) is
    /// found when it is looked through from its beginning.
    fn beginning(&mut self) -> Option<(DateTime<Utc>, MessageId)> {
        let now = Instant::now();
        if now >= self.all_at {
            self.after = None;
            self.all_at = now + ALL;
        }
        self.after
    }

    /// Claims, in the order of the index.
    async fn claim(tx: &TenantTx, claim: Claim) -> Result<Vec<Claimed>, DatabaseError> {
        let (unsorted, claimed, sorted) = tokio::join!(
            biased;
            plans::sorts(tx, false),
            claims::claim(tx, claim),
            plans::sorts(tx, true),
        );
        // What failed first, or it would be told as a transaction that is aborted.
        unsorted?;
        let claimed = claimed?;
        sorted?;
        Ok(claimed)
    }

    /// What is due besides, where the rest of the queue has less than is wanted.
    async fn before(tx: &TenantTx, claim: Claim, claimed: usize) -> Result<Vec<Claimed>, DatabaseError> {
        if claim.after.is_none() || claimed >= claim.most {
            return Ok(Vec::new());
        }
        let rest = Claim {
            most: claim.most - claimed,
            after: None,
            ..claim
        };
        Self::claim(tx, rest).await
    }

    /// How many of the wanted messages the tenant's own limit leaves.
    async fn within_limit(&self, tx: &TenantTx, wanted: usize) -> Result<usize, DatabaseError> {
        match self.hold.terms.messages_per_second {
            Some(rate) if wanted > 0 => limits::allowed(tx, rate, wanted).await,
            _ => Ok(wanted),
        }
    }

    /// Counts what was claimed towards the tenant's own limit and caps.
    async fn count(&self, tx: &TenantTx, claimed: &mut [Claimed]) -> Result<(), DatabaseError> {
        if self.hold.terms.cap.is_set() {
            claims::keep_within_cap(tx, claimed, self.hold.terms.cap).await?;
        }
        let Some(rate) = self.hold.terms.messages_per_second else {
            return Ok(());
        };
        let sent = claimed.iter().filter(|message| message.is_to_be_sent()).count();
        limits::pay(tx, rate, sent).await
    }

    /// Sets the claimed messages on their way, but for those that were skipped, and those that have to wait.
    pub(super) fn depart(&mut self, in_flight: &mut InFlight, claimed: Vec<Claimed>) {
        for message in claimed {
            if !message.is_to_be_sent() {
                self.touched.insert(message.source);
            } else if let Some(verdict) = self.wait_of(&message) {
                self.memory.bucket.give_back(1);
                self.unwritten.push(Settled {
                    id: message.id,
                    source: message.source,
                    epoch: message.epoch,
                    verdict,
                });
            } else {
                in_flight.depart(self.notification, &self.hold.account, message, self.claimed_until);
            }
        }
    }

    /// Until when a claimed message has to wait after all: for a decent hour, or for its turn with its recipient.
    fn wait_of(&mut self, message: &Claimed) -> Option<Verdict> {
        let (now, zone) = (self.now(), message.zone.as_deref());
        if message.is_marketing()
            && let Some(until) = windows::wait(&self.hold.terms, zone, &message.address, now)
        {
            return Some(Verdict::uncounted(until, "QUIET_HOURS", "it is quiet there"));
        }
        if message.source.starts_with(READ_NOTICE) {
            return None;
        }
        let each = self.hold.pair_seconds();
        let turn = self.memory.pairs.take(&message.address, each, now);
        turn.err()
            .map(|until| Verdict::uncounted(until, "PAIR_LIMIT", "too much to one person"))
    }
}
