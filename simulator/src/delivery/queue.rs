//! Which message has its next callback due when. One small entry for each unfinished message.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::ledger::MessageNumber;

/// A message whose next step is due at a time. The earliest comes first; the number breaks ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: Instant,
    pub(crate) number: MessageNumber,
    /// How often this step was refused.
    pub(crate) refused: u16,
    pub(crate) era: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    due: BinaryHeap<Reverse<Due>>,
    /// The receiver cannot be reached: nothing is tried before this.
    paused_until: Option<Instant>,
    unreachable: u16,
    /// Somebody was told that the receiver refuses callbacks.
    told_of_refusal: bool,
}

impl Queue {
    pub(crate) fn push(&self, due: impl IntoIterator<Item = Due>) {
        self.lock().due.extend(due.into_iter().map(Reverse));
        self.changed.notify_one();
    }

    /// Waits until something is due and takes it, at most `most`. Must not be waited for twice at a time.
    pub(crate) async fn take_due(&self, most: usize) -> Vec<Due> {
        loop {
            let wake = match self.poll(most, Instant::now()) {
                Ok(due) => return due,
                Err(wake) => wake,
            };
            match wake {
                None => self.changed.notified().await,
                Some(at) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// What is due, or when to look again.
    fn poll(&self, most: usize, now: Instant) -> Result<Vec<Due>, Option<Instant>> {
        let mut state = self.lock();
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            return Err(Some(until));
        }
        let mut taken = Vec::new();
        while taken.len() < most {
            match state.due.peek() {
                Some(Reverse(next)) if next.at <= now => {
                    taken.extend(state.due.pop().map(|Reverse(due)| due))
                }
                next if taken.is_empty() => return Err(next.map(|Reverse(next)| next.at)),
                _ => break,
            }
        }
        Ok(taken)
    }

    /// The receiver is away: everything waits, longer each time. Answers whether this is news.
    pub(crate) fn pause(&self, wait: impl Fn(u16) -> Duration) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        // Requests that were on their way together fail together, and count once.
        if state.paused_until.is_none_or(|until| until <= now) {
            state.paused_until = Some(now + wait(state.unreachable));
            state.unreachable = state.unreachable.saturating_add(1);
        }
        state.unreachable == 1
    }

    /// The receiver refuses a callback again and again. Answers whether this is news.
    pub(crate) fn refuses(&self) -> bool {
        !std::mem::replace(&mut self.lock().told_of_refusal, true)
    }

    /// The receiver is there. Answers whether this is news.
    pub(crate) fn resume(&self) -> bool {
        let mut state = self.lock();
        state.told_of_refusal = false;
        state.paused_until = None;
        let was_away = std::mem::take(&mut state.unreachable) > 0;
        drop(state);
        if was_away {
            self.changed.notify_one();
        }
        was_away
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.lock().due.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(at: Instant, number: MessageNumber) -> Due {
        Due {
            at,
            number,
            refused: 0,
            era: 0,
        }
    }

    #[tokio::test]
    async fn the_earliest_comes_first_and_only_when_it_is_due() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.push([
            due(now + Duration::from_secs(60), 1),
            due(now, 2),
            due(now - Duration::from_secs(1), 3),
        ]);
        let taken: Vec<_> = queue.take_due(10).await.iter().map(|due| due.number).collect();
        assert_eq!(taken, [3, 2]);
        assert!(queue.poll(10, now).is_err());
    }

    #[tokio::test]
    async fn a_batch_is_not_larger_than_asked_for() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.push((0..10).map(|number| due(now, number)));
        assert_eq!(queue.take_due(4).await.len(), 4);
    }

    #[tokio::test]
    async fn a_receiver_that_is_away_is_left_alone_longer_each_time() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.push([due(now, 1)]);
        let wait = |refused: u16| Duration::from_millis(20 * (u64::from(refused) + 1));
        assert!(queue.pause(wait));
        assert!(queue.pause(wait), "the same failure again");
        assert!(queue.poll(1, Instant::now()).is_err());
        assert_eq!(queue.take_due(1).await.len(), 1);
        assert!(now.elapsed() >= Duration::from_millis(20));
        assert!(!queue.pause(wait), "no longer news");
        assert!(queue.resume() && !queue.resume());
    }
}
