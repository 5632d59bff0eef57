//! Named signals inside one process: whoever commits work wakes whoever does it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Signals(Mutex<HashMap<&'static str, Arc<Notify>>>);

impl Signals {
    pub(crate) fn get(&self, name: &'static str) -> Arc<Notify> {
        let mut signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(signals.entry(name).or_default())
    }

    /// Wakes all who wait, and leaves a permit for one who is busy now and would wait in a moment.
    pub(crate) fn wake(&self, name: &'static str) {
        let signal = self.get(name);
        signal.notify_waiters();
        signal.notify_one();
    }
}
