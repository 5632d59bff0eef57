//! Keeps the shared connections of a read door alive: connects, watches, reconnects.

use std::future::pending;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::connector::Driver;
use crate::pool::Counted;
use crate::read_door::ReadDoor;
use crate::shared::Shared;
use crate::tasks;

/// Gives every place of the door a keeper that has none: at the first read, and should a runtime have ended.
pub(crate) fn start_all(door: &Arc<ReadDoor>) {
    for (place, kept) in door.kept.iter().enumerate() {
        if !kept.swap(true, Ordering::AcqRel) {
            let keeper = Keeper {
                door: Arc::downgrade(door),
                place,
            };
            tasks::spawn(keeper.keep());
        }
    }
}

struct Keeper {
    door: Weak<ReadDoor>,
    place: usize,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(door) = self.door.upgrade() {
            door.kept[self.place].store(false, Ordering::Release);
        }
    }
}

impl Keeper {
    const FIRST_PAUSE: Duration = Duration::from_millis(50);
    const LONGEST_PAUSE: Duration = Duration::from_secs(2);

    /// Ends when the door is gone.
    async fn keep(self) {
        let mut pause = Self::FIRST_PAUSE;
        while let Some(door) = self.door.upgrade() {
            match door.connector.connect().await {
                Ok((client, driver)) => {
                    let broken = CancellationToken::new();
                    let counted = Counted::new(&door.open);
                    let shared = Arc::new(Shared::new(client, door.settings.seats, broken.clone(), counted));
                    let watch = Watch {
                        shared: Arc::downgrade(&shared),
                        silence: door.settings.silence,
                    };
                    self.fill(&door, Some(shared));
                    // From here on only the door keeps the connection: it closes with the door.
                    drop(door);
                    watch.until_broken(driver, broken).await;
                    if let Some(door) = self.door.upgrade() {
                        self.fill(&door, None);
                    }
                    pause = Self::FIRST_PAUSE;
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a shared connection cannot be made"
                    );
                    *door.last_failure.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(whole_text(&error));
                    drop(door);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Self::LONGEST_PAUSE);
                }
            }
        }
    }

    fn fill(&self, door: &ReadDoor, shared: Option<Arc<Shared>>) {
        let mut places = door.places.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut places[self.place], shared);
        drop(places);
        if let Some(before) = before {
            before.close();
        }
        door.changed.notify_waiters();
    }
}

struct Watch {
    shared: Weak<Shared>,
    silence: Duration,
}

impl Watch {
    /// Drives the connection until it ends, a panic spoils it, or the server has not answered anything for long.
    async fn until_broken(&self, driver: Driver, broken: CancellationToken) {
        tokio::select! {
            ended = driver => if let Err(error) = ended {
                tracing::warn!(error = &error as &dyn std::error::Error, "a shared connection broke");
            },
            () = broken.cancelled() => tracing::warn!("a shared connection is given up"),
            () = self.silence() => tracing::error!("a shared connection is given up: the server does not answer"),
        }
    }

    async fn silence(&self) {
        const LOOKS: u32 = 5;
        let (mut seen, mut silent) = (0, 0);
        loop {
            tokio::time::sleep(self.silence / LOOKS).await;
            let Some(shared) = self.shared.upgrade() else {
                pending().await
            };
            let answered = shared.answered();
            silent = if answered == seen && shared.is_waiting() {
                silent + 1
            } else {
                0
            };
            seen = answered;
            if silent > LOOKS {
                return;
            }
        }
    }
}

fn whole_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
