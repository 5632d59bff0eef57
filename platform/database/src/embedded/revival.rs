//! Starts the postmaster again if somebody kills it while Plaza runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::ground::Ground;
use super::place::Places;
use super::postmaster::Postmaster;
use super::traces::orphans_gone;
use crate::tasks;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The postmaster, kept running until it is taken.
pub(super) struct Kept {
    slot: Arc<Mutex<Option<Postmaster>>>,
    watching: JoinHandle<()>,
}

impl Kept {
    pub(super) fn pid(&self) -> u32 {
        lock(&self.slot).as_ref().map(Postmaster::pid).unwrap_or_default()
    }

    /// Takes it; from now on nobody starts another one.
    pub(super) fn take(&self) -> Option<Postmaster> {
        lock(&self.slot).take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.watching.abort();
        // Dropped here if nobody took it: it is asked to end.
        drop(self.take());
    }
}

/// Keeps it running. The places are only borrowed: their lock must not outlive the cluster.
pub(super) fn keep(postmaster: Postmaster, ground: Ground, places: Weak<Places>) -> Kept {
    let slot = Arc::new(Mutex::new(Some(postmaster)));
    let watching = tasks::spawn(watch(Arc::clone(&slot), ground, places));
    Kept { slot, watching }
}

async fn watch(slot: Arc<Mutex<Option<Postmaster>>>, ground: Ground, places: Weak<Places>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match look(&slot) {
            Look::Taken => return,
            Look::Runs => {}
            Look::Ended(data) => {
                tracing::error!("postgresql ended unexpectedly and is started again");
                if let Err(error) = orphans_gone(&data).await {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "postgresql left processes behind"
                    );
                    continue;
                }
                revive(&slot, &ground, &places);
            }
        }
    }
}

enum Look {
    Taken,
    Runs,
    Ended(PathBuf),
}

fn look(slot: &Mutex<Option<Postmaster>>) -> Look {
    let mut slot = lock(slot);
    let Some(postmaster) = slot.as_mut() else {
        return Look::Taken;
    };
    if postmaster.ended() {
        Look::Ended(postmaster.data().to_owned())
    } else {
        Look::Runs
    }
}

/// Whoever waits for the database tries again by itself, so nobody waits here until it answers.
fn revive(slot: &Mutex<Option<Postmaster>>, ground: &Ground, places: &Weak<Places>) {
    let mut slot = lock(slot);
    let (Some(_), Some(places)) = (slot.as_ref(), places.upgrade()) else {
        return;
    };
    match ground.spawn(places.of_cluster()) {
        Ok(postmaster) => *slot = Some(postmaster),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "postgresql could not be started again"
            );
        }
    }
}

fn lock<T>(slot: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
