//! The runner: gives a service's consumers what is queued for them.
//!
//! It claims the first delivery of each key, tenants in turn (`delivery_queue.rs`), and makes several deliveries of
//! different keys at the same time (`delivery.rs`). A key in retry waits; the others go on.
//!
//! There is no lease per consumer: any number of processes may run the same consumers. A claim counts the attempt and
//! keeps the row from other runners until the effect's transaction holds the row's lock; after a crash the claim runs
//! out and the event is claimed again. A later event of a key is never claimed while an earlier one is queued, so the
//! order per key holds across processes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use plaza_database::{Database, DatabaseError};
use plaza_kernel::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attempt::Attempt;
use crate::delivery::Delivery;
use crate::delivery_queue::{self, Claimed, Free};
use crate::{MessagingSettings, Subscriptions};

/// The signal that wakes the runner of a service in this process.
pub(crate) const SIGNAL: &str = "deliveries";

/// Runs the consumers of one service.
pub(crate) struct Runner {
    database: Database,
    subscriptions: Subscriptions,
    settings: Arc<MessagingSettings>,
    clock: Clock,
    /// The tenant that each consumer served last.
    served: Mutex<HashMap<&'static str, Uuid>>,
}

/// The deliveries being made. Dropped, they are broken off and rolled back.
#[derive(Default)]
struct Underway {
    tasks: JoinSet<&'static str>,
    by_consumer: HashMap<&'static str, usize>,
}

impl Runner {
    pub(crate) fn new(
        database: Database,
        subscriptions: Subscriptions,
        settings: Arc<MessagingSettings>,
        clock: Clock,
    ) -> Self {
        Self {
            database,
            subscriptions,
            settings,
            clock,
            served: Mutex::default(),
        }
    }

    /// Consumes until told to stop; deliveries that began are finished.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let wake = self.database.signal(SIGNAL);
        let mut underway = Underway::default();
        while !stop.is_cancelled() {
            let woken = wake.notified();
            tokio::pin!(woken);
            // Registered before the queue is read: what is queued meanwhile wakes the next look.
            woken.as_mut().enable();
            if let Err(error) = self.fill(&mut underway).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(service = %self.database.service(), error, "claiming deliveries failed");
                // The places stay free: wait to be woken even if a delivery ends at once.
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => {}
                () = underway.one_ended(), if !underway.tasks.is_empty() => {}
            }
        }
        while !underway.tasks.is_empty() {
            underway.one_ended().await;
        }
    }

    /// Consumes until nothing can be claimed.
    pub(crate) async fn run_dry(&self) -> Result<(), DatabaseError> {
        let mut underway = Underway::default();
        loop {
            self.fill(&mut underway).await?;
            if underway.tasks.is_empty() {
                return Ok(());
            }
            underway.one_ended().await;
        }
    }

    /// Claims for every free place: again while a long queue of few keys may hide others, and for those consumers that there
    /// was no place for as long as there are more consumers than places and some have nothing to do.
    async fn fill(&self, underway: &mut Underway) -> Result<(), DatabaseError> {
        let mut idle = HashSet::new();
        loop {
            let places = self.free_places(underway, &idle);
            if places.is_empty() {
                return Ok(());
            }
            let claimed = delivery_queue::claim(&self.database, &places, self.settings.lease).await?;
            self.remember_turns(&claimed);
            for free in &places {
                let of_one = || claimed.iter().filter(|one| one.consumer == free.consumer);
                let all = i32::try_from(of_one().count()).is_ok_and(|count| count >= free.places);
                if !all && !of_one().any(|one| one.crowded) {
                    idle.insert(free.consumer);
                }
            }
            for one in claimed {
                self.begin(one, underway);
            }
        }
    }

    /// How many deliveries each consumer may claim. Shares the free places out, and leaves at least one to the other
    /// consumers.
    fn free_places(&self, underway: &Underway, idle: &HashSet<&'static str>) -> Vec<Free> {
        let names: Vec<&'static str> = self.subscriptions.names().map(|(consumer, _)| consumer).collect();
        let all = self.settings.concurrency.max(1);
        let most = self.settings.most_of_one(names.len());
        let mut free = all.saturating_sub(underway.tasks.len());
        let mut places = Vec::new();
        // The consumer with the least underway comes first, so that no one is always last.
        let mut waiting: Vec<(usize, &'static str)> =
            names.iter().map(|name| (underway.of(name), *name)).collect();
        waiting.retain(|(_, name)| !idle.contains(name));
        waiting.sort_by_key(|(busy, _)| *busy);
        for (at, (busy, name)) in waiting.iter().enumerate() {
            let share = free.div_ceil(waiting.len() - at).min(most.saturating_sub(*busy));
            if share > 0 {
                let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
                places.push(Free {
                    consumer: name,
                    places: i32::try_from(share).unwrap_or(i32::MAX),
                    after: served.get(name).copied().unwrap_or_default(),
                });
                free -= share;
            }
        }
        places
    }

    /// The next turn begins behind the last tenant of this one.
    fn remember_turns(&self, claimed: &[Claimed]) {
        let mut last: HashMap<&'static str, (i32, Uuid)> = HashMap::new();
        for one in claimed {
            if let Some(subscription) = self.subscriptions.find(&one.consumer) {
                let latest = last
                    .entry(subscription.consumer)
                    .or_insert((one.step, one.turn()));
                *latest = (*latest).max((one.step, one.turn()));
            }
        }
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.extend(last.into_iter().map(|(consumer, (_, turn))| (consumer, turn)));
    }

    fn begin(&self, claimed: Claimed, underway: &mut Underway) {
        let Some(subscription) = self.subscriptions.find(&claimed.consumer) else {
            // Cannot happen: only subscribed consumers are claimed for. The claim runs out.
            return;
        };
        let name = subscription.consumer;
        let attempt = Attempt {
            database: self.database.clone(),
            settings: Arc::clone(&self.settings),
            clock: self.clock.clone(),
            handler: Arc::clone(&subscription.handler),
            consumer: name,
        };
        let delivery = Delivery { attempt, claimed };
        *underway.by_consumer.entry(name).or_default() += 1;
        underway.tasks.spawn(async move {
            delivery.make().await;
            name
        });
    }
}

impl Underway {
    fn of(&self, consumer: &str) -> usize {
        self.by_consumer.get(consumer).copied().unwrap_or_default()
    }

    /// Waits until at least one delivery ended, and takes along all that did.
    async fn one_ended(&mut self) {
        let mut ended = self.tasks.join_next().await;
        while let Some(result) = ended {
            match result {
                Ok(consumer) => {
                    if let Some(count) = self.by_consumer.get_mut(consumer) {
                        *count = count.saturating_sub(1);
                    }
                }
                // A delivery catches the panics of its consumer; its own would leave the count wrong.
                Err(_) => self.by_consumer.clear(),
            }
            ended = self.tasks.try_join_next();
        }
    }
}
