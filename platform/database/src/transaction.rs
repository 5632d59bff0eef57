//! The second door: transactions on exclusive connections. How they end is in `transaction/commit.rs`, how many rows at
//! once are written in `transaction/copy.rs`.

mod commit;
mod copy;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use plaza_kernel::Scope;
use tokio::sync::MutexGuard;
use tokio_postgres::Statement;

use crate::pool::{Lease, Pool};
use crate::scope_setting::opening;
use crate::signals::Signals;
use crate::{DatabaseError, Params, Query, Row, tasks};

/// How long a rollback may take before the connection is closed instead.
const ROLLBACK_PATIENCE: Duration = Duration::from_millis(500);

/// A transaction. BEGIN and the scope travel with the first statement; without `commit` it is rolled back when
/// dropped, and the pool never gets back a connection inside a transaction.
///
/// Statements that are polled together (`join!`) share a flight: they are pipelined in the order of their first poll.
/// A statement that is dropped before its answer came may have run all the same, unless the transaction is dropped
/// too.
pub struct Transaction {
    scope: Scope,
    pool: Arc<Pool>,
    // Orders statements by their first poll; held until a statement is enqueued.
    turn: tokio::sync::Mutex<()>,
    lease: OnceLock<Lease>,
    begun: AtomicBool,
    failed: AtomicBool,
    // A statement was dropped before its answer came: it may have failed.
    unanswered: AtomicBool,
    signals: Arc<Signals>,
    wakes: Mutex<Vec<&'static str>>,
}

impl Transaction {
    pub(crate) fn new(scope: Scope, pool: Arc<Pool>, signals: Arc<Signals>) -> Self {
        Self {
            scope,
            pool,
            turn: tokio::sync::Mutex::new(()),
            lease: OnceLock::new(),
            begun: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            unanswered: AtomicBool::new(false),
            signals,
            wakes: Mutex::default(),
        }
    }

    /// Whose rows it sees.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// All rows.
    pub async fn all<P: Params, T: Row>(
        &self,
        query: &Query<P, T>,
        params: P,
    ) -> Result<Vec<T>, DatabaseError> {
        let Ready {
            turn,
            lease,
            statement,
        } = self.ready(query.sql()).await?;
        let rows = async {
            let mut stream = pin!(lease.client().query_raw(&statement, params.values()).await?);
            let mut rows = Vec::new();
            while let Some(row) = stream.next().await {
                rows.push(T::from_row(&row?).map_err(DatabaseError::Misfit)?);
            }
            Ok(rows)
        };
        self.launch(turn, lease, rows).await
    }

    /// The only row, or none; [`DatabaseError::TooManyRows`] if there are more.
    pub async fn optional<P: Params, T: Row>(
        &self,
        query: &Query<P, T>,
        params: P,
    ) -> Result<Option<T>, DatabaseError> {
        let mut rows = self.all(query, params).await?;
        let row = rows.pop();
        if rows.is_empty() {
            Ok(row)
        } else {
            Err(DatabaseError::TooManyRows)
        }
    }

    /// The row that has to be there; [`DatabaseError::MissingRow`] if it is not.
    pub async fn one<P: Params, T: Row>(&self, query: &Query<P, T>, params: P) -> Result<T, DatabaseError> {
        self.optional(query, params)
            .await?
            .ok_or(DatabaseError::MissingRow)
    }

    /// Runs a change and says how many rows it touched.
    pub async fn execute<P: Params>(&self, query: &Query<P, ()>, params: P) -> Result<u64, DatabaseError> {
        let Ready {
            turn,
            lease,
            statement,
        } = self.ready(query.sql()).await?;
        let change = async { Ok(lease.client().execute_raw(&statement, params.values()).await?) };
        self.launch(turn, lease, change).await
    }

    /// Once committed, wakes everybody who waits on this signal of the [`Database`](crate::Database).
    pub fn signal_on_commit(&self, signal: &'static str) {
        self.wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(signal);
    }

    /// The turn, the connection and the prepared statement: all that has to be waited for before sending.
    async fn ready(&self, sql: &'static str) -> Result<Ready<'_>, DatabaseError> {
        let turn = self.turn.lock().await;
        let lease = self.lease().await.map_err(|error| self.failed_with(error))?;
        let statement = lease
            .prepare(sql)
            .await
            .map_err(|error| self.failed_with(error.into()))?;
        Ok(Ready {
            turn,
            lease,
            statement,
        })
    }

    /// Enqueues a statement in one poll, with BEGIN before it if it is the first; then the next one has its turn.
    async fn launch<R>(
        &self,
        turn: MutexGuard<'_, ()>,
        lease: &Lease,
        statement: impl Future<Output = Result<R, DatabaseError>>,
    ) -> Result<R, DatabaseError> {
        let watch = Watch(self);
        let first = !self.begun.swap(true, Ordering::AcqRel);
        let mut flight = pin!(async { tokio::join!(biased; self.begin(lease, first), statement) });
        let enqueued = poll_fn(|context| Poll::Ready(flight.as_mut().poll(context))).await;
        drop(turn);
        let (begun, answer) = match enqueued {
            Poll::Ready(answers) => answers,
            Poll::Pending => flight.await,
        };
        watch.answered();
        begun.and(answer).map_err(|error| self.failed_with(error))
    }

    async fn begin(&self, lease: &Lease, first: bool) -> Result<(), DatabaseError> {
        if first {
            // Outside a transaction these sessions only read: should BEGIN fail, what travels behind it cannot write.
            lease
                .client()
                .batch_execute(&opening("BEGIN READ WRITE", self.scope))
                .await?;
        }
        Ok(())
    }

    /// The connection, taken at the first statement. Only called by whoever has the turn.
    async fn lease(&self) -> Result<&Lease, DatabaseError> {
        if self.lease.get().is_none() {
            let lease = self.pool.lease().await?;
            return Ok(self.lease.get_or_init(|| lease));
        }
        self.lease.get().ok_or(DatabaseError::Unavailable(None))
    }

    fn failed_with(&self, error: DatabaseError) -> DatabaseError {
        self.failed.store(true, Ordering::Release);
        match error {
            DatabaseError::Refused(source) if DatabaseError::is_stale(&source) => {
                if let Some(lease) = self.lease.get() {
                    lease.retire_statements();
                }
                DatabaseError::Conflict(source)
            }
            error => error,
        }
    }

    /// The connection, if a transaction was begun on it. One that was only taken goes back.
    fn take_begun(&mut self) -> Option<Lease> {
        let lease = self.lease.take()?;
        if *self.begun.get_mut() {
            Some(lease)
        } else {
            lease.give_back();
            None
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(lease) = self.take_begun() else { return };
        // Without a runtime nobody can talk to the server: dropping the lease closes the connection.
        if tokio::runtime::Handle::try_current().is_ok() {
            tasks::spawn(lease.roll_back(ROLLBACK_PATIENCE));
        }
    }
}

/// What a statement has before it is sent.
struct Ready<'a> {
    turn: MutexGuard<'a, ()>,
    lease: &'a Lease,
    statement: Statement,
}

/// Notices that a statement's future was dropped between being enqueued and being answered.
struct Watch<'a>(&'a Transaction);

impl Watch<'_> {
    fn answered(self) {
        std::mem::forget(self);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.unanswered.store(true, Ordering::Release);
    }
}
