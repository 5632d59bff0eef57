//! One shared connection of the read door, and what a flight on it is.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio_postgres::{Client, Statement};
use tokio_util::sync::CancellationToken;

use crate::pool::Counted;
use crate::statements::Statements;
use crate::{DatabaseError, Params, Row};

/// A read carries no more rows than this.
pub(crate) const MOST_ROWS: usize = 500;

/// A connection that carries the flights of many readers at once.
pub(crate) struct Shared {
    client: Client,
    statements: Statements,
    // Held while something is enqueued, so that nothing gets in between the three messages of a flight.
    turn: Mutex<()>,
    preparing: tokio::sync::Mutex<()>,
    seats: Semaphore,
    capacity: usize,
    answered: AtomicU64,
    broken: CancellationToken,
    _counted: Counted,
}

impl Shared {
    pub(crate) fn new(client: Client, seats: usize, broken: CancellationToken, counted: Counted) -> Self {
        Self {
            client,
            statements: Statements::default(),
            turn: Mutex::new(()),
            preparing: tokio::sync::Mutex::new(()),
            seats: Semaphore::new(seats),
            capacity: seats,
            answered: AtomicU64::new(0),
            broken,
            _counted: counted,
        }
    }

    pub(crate) fn free_seats(&self) -> usize {
        if self.is_open() {
            self.seats.available_permits()
        } else {
            0
        }
    }

    /// Whether it still takes flights.
    pub(crate) fn is_open(&self) -> bool {
        !self.seats.is_closed()
    }

    /// Ends the connection: its keeper makes another one.
    pub(crate) fn give_up(&self) {
        self.seats.close();
        self.broken.cancel();
    }

    /// Whether a flight is on its way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.seats.available_permits() < self.capacity
    }

    /// How many flights the server has answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Takes no more flights.
    pub(crate) fn close(&self) {
        self.seats.close();
    }

    /// One read: the statement in a transaction of its own, in one flight.
    pub(crate) async fn read<P: Params, T: Row>(
        &self,
        opening: &str,
        sql: &'static str,
        params: &P,
    ) -> Result<Vec<T>, DatabaseError> {
        let statement = self.prepared(sql).await?;
        match self.flight(opening, &statement, params).await {
            Err(error) if error.is_stale_statement() => {
                self.statements.evict(sql);
                let statement = self.prepared(sql).await?;
                self.flight(opening, &statement, params).await
            }
            answer => answer,
        }
    }

    /// BEGIN with its settings ‖ statement ‖ COMMIT.
    async fn flight<P: Params, T: Row>(
        &self,
        opening: &str,
        statement: &Statement,
        params: &P,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut flight = pin!(async {
            tokio::join!(
                biased;
                self.client.batch_execute(opening),
                self.rows(statement, params),
                self.client.batch_execute("COMMIT"),
            )
        });
        // The first poll enqueues all three, in order.
        let first = poll_fn(|context| match self.turn.lock() {
            Ok(_turn) => Poll::Ready(Ok(flight.as_mut().poll(context))),
            Err(_) => Poll::Ready(Err(broken_by_a_panic())),
        });
        let (begun, rows, committed) = match first.await? {
            Poll::Ready(answers) => answers,
            Poll::Pending => flight.await,
        };
        // Without its transaction the statement saw nobody's rows: no rows would be a lie.
        begun?;
        let rows = rows?;
        committed?;
        Ok(rows)
    }

    async fn rows<P: Params, T: Row>(
        &self,
        statement: &Statement,
        params: &P,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut stream = pin!(self.client.query_raw(statement, params.values()).await?);
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await {
            let row = row?;
            if rows.len() == MOST_ROWS {
                // The connection throws away what is still to come.
                return Err(DatabaseError::TooManyRows);
            }
            rows.push(T::from_row(&row).map_err(DatabaseError::Misfit)?);
        }
        Ok(rows)
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, DatabaseError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement);
        }
        let _one_at_a_time = self.preparing.lock().await;
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement);
        }
        let mut prepare = pin!(self.client.prepare(sql));
        // Types that the driver does not know are looked up in later polls, which enqueue too.
        let statement = poll_fn(|context| match self.turn.lock() {
            Ok(_turn) => prepare.as_mut().poll(context).map_err(DatabaseError::from),
            Err(_) => Poll::Ready(Err(broken_by_a_panic())),
        })
        .await?;
        self.statements.keep(sql, &statement);
        Ok(statement)
    }
}

fn broken_by_a_panic() -> DatabaseError {
    DatabaseError::away("a panic left a shared connection between two messages")
}

/// The right to one flight, held until the server has answered it.
pub(crate) struct Seat(Arc<Shared>);

impl Seat {
    pub(crate) fn take(shared: &Arc<Shared>) -> Option<Self> {
        shared.seats.try_acquire().ok()?.forget();
        Some(Self(Arc::clone(shared)))
    }

    /// Waits for one; none if the connection broke.
    pub(crate) async fn wait(shared: Arc<Shared>) -> Option<Self> {
        shared.seats.acquire().await.ok()?.forget();
        Some(Self(shared))
    }

    pub(crate) fn connection(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        self.0.seats.add_permits(1);
        if self.0.turn.is_poisoned() {
            self.0.give_up();
        }
    }
}
