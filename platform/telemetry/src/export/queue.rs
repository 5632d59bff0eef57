//! The bounded queue between those who end spans and the thread that exports them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::trace::Finished;

/// Spans that may wait. Some 2 MiB.
const CAPACITY: usize = 4_096;

/// Spans in one request.
const BATCH: usize = 512;

/// How long a span waits for others to share its request.
const LINGER: Duration = Duration::from_secs(1);

/// Spans that ended and were not exported yet. Whoever adds one never waits: what does not fit is dropped.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    spans: VecDeque<Finished>,
    stopping: bool,
    ended: bool,
}

impl Queue {
    /// Adds a span, or drops it.
    pub(crate) fn push(&self, span: Finished) {
        let mut state = self.lock();
        if state.stopping || state.spans.len() >= CAPACITY {
            drop(state);
            return super::dropped(1);
        }
        state.spans.push_back(span);
        let waiting = state.spans.len();
        drop(state);
        // The first wakes the thread, which then waits for a batch to be full.
        if waiting == 1 || waiting == BATCH {
            self.changed.notify_all();
        }
    }

    /// Waits for spans and takes a batch; none at the end.
    pub(super) fn take(&self) -> Option<Vec<Finished>> {
        let state = self.lock();
        let some = self
            .changed
            .wait_while(state, |state| state.spans.is_empty() && !state.stopping);
        let some = some.unwrap_or_else(PoisonError::into_inner);
        let full = self
            .changed
            .wait_timeout_while(some, LINGER, |state| state.spans.len() < BATCH && !state.stopping);
        let (mut state, _) = full.unwrap_or_else(PoisonError::into_inner);
        let most = state.spans.len().min(BATCH);
        let batch: Vec<Finished> = state.spans.drain(..most).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Waits, unless it is time to stop. Says whether it is.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let paused = self
            .changed
            .wait_timeout_while(self.lock(), wait, |state| !state.stopping);
        let (state, _) = paused.unwrap_or_else(PoisonError::into_inner);
        state.stopping
    }

    /// Whether nothing more comes.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Empties the queue and says how many were in it.
    pub(super) fn discard(&self) -> usize {
        std::mem::take(&mut self.lock().spans).len()
    }

    /// The thread has ended, whatever way.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Takes nothing more and waits for what is left to be exported, but not longer than this. Says whether it was.
    pub(crate) fn stop(&self, within: Duration) -> bool {
        let mut state = self.lock();
        state.stopping = true;
        self.changed.notify_all();
        let ended = self
            .changed
            .wait_timeout_while(state, within, |state| !state.ended);
        let (state, _) = ended.unwrap_or_else(PoisonError::into_inner);
        state.ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::trace::TraceLayer;

    fn with_spans(spans: usize) -> Arc<Queue> {
        let queue = Arc::<Queue>::default();
        let layer = TraceLayer::new(1.0, Some(Arc::clone(&queue)));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            (0..spans).for_each(|_| tracing::info_span!("request").in_scope(|| ()));
        });
        queue
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let queue = metrics::with_local_recorder(&recorder, || with_spans(CAPACITY + 7));
        let text = recorder.handle().render();
        assert!(text.contains("plaza_trace_spans_dropped_total 7\n"), "{text}");
        assert_eq!(queue.take().map(|batch| batch.len()), Some(BATCH));
        assert_eq!(queue.discard(), CAPACITY - BATCH);
    }

    #[test]
    fn a_queue_that_stops_gives_out_what_it_has_and_takes_no_more() {
        let queue = with_spans(3);
        assert!(!queue.stop(Duration::ZERO), "nobody has exported them");
        assert_eq!(queue.take().map(|batch| batch.len()), Some(3));
        assert!(queue.take().is_none());
        queue.end();
        assert!(queue.stop(Duration::from_secs(60)));
    }
}
