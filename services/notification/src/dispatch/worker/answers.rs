//! The half of a worker that judges what comes back from the provider.

use tokio::time::Instant;

use super::{TOGETHER, Worker};
use crate::dispatch::attempt::{Finished, InFlight};
use crate::dispatch::claims::Settled;
use crate::dispatch::verdict::{self, Answer, Effect};
use crate::providers::SendFailure;

impl Worker<'_> {
    /// Takes in what comes back next, all that is there by then, and what comes soon after it. Prolongs the lease meanwhile.
    ///
    /// A transaction costs nearly the same for one answer as for four. So the first one waits for others, until half of
    /// the places are free, and no longer than it would have if it had come just after a transaction began.
    pub(super) async fn next(&mut self, in_flight: &mut InFlight) {
        loop {
            match tokio::time::timeout(self.hold.until_prolonging(), in_flight.next()).await {
                Ok(Some(one)) => break self.take_in(one),
                Ok(None) => break,
                Err(_) => self.prolong().await,
            }
        }
        let until = Instant::now() + self.took.min(TOGETHER);
        while in_flight.len() > self.config().in_flight() / 2
            && let Ok(Some(one)) = tokio::time::timeout_at(until, in_flight.next()).await
        {
            self.take_in(one);
        }
        for one in in_flight.back() {
            self.take_in(one);
        }
    }

    /// Judges what came back.
    pub(super) fn take_in(&mut self, finished: Finished) {
        let now = self.now();
        let code = match &finished.result {
            Err(SendFailure::Refused { code, .. }) => Some(code.as_str()),
            _ => None,
        };
        let answer = Answer {
            result: &finished.result,
            attempt: finished.attempt,
            again: code.is_some() && finished.previous.as_deref() == code,
            now,
            jitter: rand::random(),
        };
        let (verdict, effect) = verdict::judge(self.config(), &answer);
        metrics::counter!("plaza_messages_total", "outcome" => verdict.name()).increment(1);
        if matches!(finished.result, Ok(_) | Err(SendFailure::Refused { .. })) {
            self.memory.bucket.reached();
        }
        self.lessons
            .learn(&finished, &self.hold, &mut self.memory.breaker, now);
        match effect {
            Effect::None => {}
            Effect::SlowDown => self.memory.bucket.slow_down(now),
            Effect::Rest => self
                .memory
                .bucket
                .unreached(now, self.config().retry_milliseconds / 4),
            Effect::Unreachable => self.lessons.unreachable.push((finished.address, finished.id)),
            Effect::OptedOut => self.lessons.opted_out.push(finished.address),
            Effect::Stop(stop) => {
                // Before anything more of it is claimed.
                self.draining = true;
                self.lessons.stop = Some(stop);
            }
        }
        self.unwritten.push(Settled {
            id: finished.id,
            source: finished.source,
            epoch: finished.epoch,
            verdict,
        });
    }
}
