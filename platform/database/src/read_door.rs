//! The first door: one statement, one transaction, one round trip, on shared connections.
//!
//! 1. The three messages of a flight are enqueued in one poll under a short lock: flights never interleave.
//! 2. A flight is a task of its own and keeps its seat until the server has answered, whatever becomes of the caller:
//!    a caller that stops polling without being dropped would stop everybody on the connection.
//! 3. It is read-only, short (250 ms) and small (500 rows).
//! 4. BEGIN's error is judged first.
//! 5. A prepared statement that outlived a migration is prepared again, once; `keeper.rs` reconnects.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::future::select_all;
use metrics::{Counter, Gauge};
use plaza_kernel::Scope;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::connector::Connector;
use crate::scope_setting::opening;
use crate::shared::{Seat, Shared};
use crate::{DatabaseError, Params, Query, Row, keeper, tasks};

/// What the read door is set to.
pub(crate) struct ReadSettings {
    /// Connections.
    pub(crate) size: usize,
    /// Flights at once on one connection.
    pub(crate) seats: usize,
    /// How long a read waits for a seat.
    pub(crate) patience: Duration,
    /// How long a connection may leave all its flights unanswered.
    pub(crate) silence: Duration,
    /// `BEGIN …` and the limits of a read.
    pub(crate) begin: String,
}

/// The shared connections of one service.
pub(crate) struct ReadDoor {
    pub(crate) connector: Connector,
    pub(crate) settings: ReadSettings,
    /// The living connections; each has its keeper.
    pub(crate) places: RwLock<Vec<Option<Arc<Shared>>>>,
    pub(crate) kept: Vec<AtomicBool>,
    /// A place was filled or became empty.
    pub(crate) changed: Notify,
    pub(crate) last_failure: Mutex<Option<String>>,
    pub(crate) open: Gauge,
    flights: Counter,
}

impl ReadDoor {
    pub(crate) fn new(connector: Connector, settings: ReadSettings, open: Gauge, flights: Counter) -> Self {
        let size = settings.size.max(1);
        Self {
            connector,
            settings,
            places: RwLock::new(vec![None; size]),
            kept: (0..size).map(|_| AtomicBool::new(false)).collect(),
            changed: Notify::new(),
            last_failure: Mutex::default(),
            open,
            flights,
        }
    }

    pub(crate) async fn read<P: Params, T: Row>(
        self: &Arc<Self>,
        scope: Scope,
        query: &Query<P, T>,
        params: P,
    ) -> Result<Vec<T>, DatabaseError> {
        self.flights.increment(1);
        let caller = Arc::new(());
        let flight = Flight {
            door: Arc::clone(self),
            seat: self.free_seat(),
            opening: opening(&self.settings.begin, scope),
            sql: query.sql(),
            params,
            caller: Arc::downgrade(&caller),
        };
        tasks::spawn(flight.carry()).await.map_err(DatabaseError::away)?
    }

    /// A seat on the least loaded connection, if one is free.
    fn free_seat(self: &Arc<Self>) -> Option<Seat> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let best = places
            .iter()
            .flatten()
            .max_by_key(|shared| shared.free_seats())
            .and_then(Seat::take);
        let complete = places
            .iter()
            .all(|place| place.as_ref().is_some_and(|shared| shared.is_open()));
        drop(places);
        if !complete {
            keeper::start_all(self);
        }
        best
    }

    /// A seat, as soon as there is one.
    async fn seat(self: &Arc<Self>, deadline: Instant) -> Result<Seat, DatabaseError> {
        loop {
            let changed = self.changed.notified();
            if let Some(seat) = self.free_seat() {
                return Ok(seat);
            }
            let living: Vec<_> = self
                .living()
                .into_iter()
                .map(|shared| Box::pin(Seat::wait(shared)))
                .collect();
            let any = async {
                if living.is_empty() {
                    std::future::pending().await
                } else {
                    select_all(living).await.0
                }
            };
            tokio::select! {
                seat = any => if let Some(seat) = seat { return Ok(seat) },
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => return Err(self.why_no_seat()),
            }
        }
    }

    fn why_no_seat(&self) -> DatabaseError {
        if !self.living().is_empty() {
            return DatabaseError::Busy;
        }
        let failure = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        DatabaseError::Unavailable(failure.map(Into::into))
    }

    fn living(&self) -> Vec<Arc<Shared>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places
            .iter()
            .flatten()
            .filter(|shared| shared.is_open())
            .cloned()
            .collect()
    }
}

/// One read on its way.
struct Flight<P> {
    door: Arc<ReadDoor>,
    seat: Option<Seat>,
    opening: String,
    sql: &'static str,
    params: P,
    caller: Weak<()>,
}

impl<P: Params> Flight<P> {
    /// Carries it out; once more on another connection if the first one broke: a read may be repeated.
    async fn carry<T: Row>(mut self) -> Result<Vec<T>, DatabaseError> {
        let seat = self.take_seat().await?;
        match self.attempt(seat).await {
            Err(DatabaseError::Unavailable(_)) if self.is_awaited() => {
                let seat = self.take_seat().await?;
                self.attempt(seat).await
            }
            answer => answer,
        }
    }

    async fn take_seat(&mut self) -> Result<Seat, DatabaseError> {
        if let Some(seat) = self.seat.take() {
            return Ok(seat);
        }
        let seat = self
            .door
            .seat(Instant::now() + self.door.settings.patience)
            .await?;
        if self.is_awaited() {
            Ok(seat)
        } else {
            Err(DatabaseError::Busy)
        }
    }

    async fn attempt<T: Row>(&self, seat: Seat) -> Result<Vec<T>, DatabaseError> {
        let answer = seat
            .connection()
            .read(&self.opening, self.sql, &self.params)
            .await;
        if let Err(DatabaseError::Unavailable(_)) = answer {
            // Its keeper may not know yet; nobody else shall find out the same way.
            seat.connection().give_up();
        }
        answer
    }

    fn is_awaited(&self) -> bool {
        self.caller.strong_count() > 0
    }
}
