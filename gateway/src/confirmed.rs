//! Answers that have to be confirmed every few seconds, without a request ever waiting for it while things go well: once
//! an answer has reached half its age, the next request lets it be confirmed in the background.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_contracts::remembered::{NotKnown, Remembered};
use plaza_kernel::Clock;
use plaza_rpc::RpcError;
use tokio_util::task::TaskTracker;

/// How long the one who has to answer may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Asks for confirmations.
#[derive(Clone)]
pub(crate) struct Confirmer {
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    /// An older answer counts as none.
    pub(crate) good_for: TimeDelta,
}

impl Confirmer {
    /// The answer, confirmed recently enough.
    pub(crate) async fn confirm<V, F>(
        &self,
        answer: &Arc<Remembered<V>>,
        now: DateTime<Utc>,
        question: impl FnOnce() -> F,
    ) -> Result<V, NotKnown>
    where
        V: Clone + Send + Sync + 'static,
        F: Future<Output = Result<V, RpcError>> + Send + 'static,
    {
        let mut seen = TimeDelta::zero();
        let known = answer.known(now, |_, age| {
            seen = age;
            age < self.good_for
        });
        let Some(known) = known else {
            return answer
                .ask(&self.clock, |_, age| age < self.good_for, |_, _| false, question)
                .await;
        };
        if seen >= self.good_for / 2 && !answer.is_being_asked() {
            self.confirm_later(answer, question());
        }
        Ok(known)
    }

    fn confirm_later<V, F>(&self, answer: &Arc<Remembered<V>>, question: F)
    where
        V: Clone + Send + Sync + 'static,
        F: Future<Output = Result<V, RpcError>> + Send + 'static,
    {
        let (answer, clock, half) = (Arc::clone(answer), self.clock.clone(), self.good_for / 2);
        self.tasks.spawn(async move {
            // Whoever comes second finds it confirmed. A failure is nobody's yet: the answer is good for a while.
            let _ = answer
                .ask(&clock, |_, age| age < half, |_, _| false, || question)
                .await;
        });
    }
}
