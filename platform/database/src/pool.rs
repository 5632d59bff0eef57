//! Exclusive connections: each has one borrower at a time, and comes back only when it is in no transaction.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Statement};

use crate::connector::Connector;
use crate::statements::Statements;
use crate::temp_table::MadeTables;
use crate::{DatabaseError, tasks};

/// At most so many connections, made when they are needed and kept when they are free.
pub(crate) struct Pool {
    connector: Connector,
    places: Arc<Semaphore>,
    patience: Duration,
    free: Mutex<Vec<Connection>>,
    // Grows when prepared statements have outlived a migration: older connections are not used again.
    era: AtomicU64,
    open: Gauge,
}

struct Connection {
    client: Client,
    statements: Statements,
    temp_tables: MadeTables,
    era: u64,
    _counted: Counted,
}

/// Counts an open connection for as long as it lives.
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.increment(1);
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl Pool {
    pub(crate) fn new(connector: Connector, size: usize, patience: Duration, open: Gauge) -> Self {
        Self {
            connector,
            places: Arc::new(Semaphore::new(size.max(1))),
            patience,
            free: Mutex::default(),
            era: AtomicU64::new(0),
            open,
        }
    }

    /// A connection outside any transaction. [`DatabaseError::Busy`] if none becomes free in time.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease, DatabaseError> {
        let place = tokio::time::timeout(self.patience, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| DatabaseError::Busy)?
            .map_err(DatabaseError::away)?;
        let connection = match self.take_free() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lease {
            connection,
            pool: Arc::clone(self),
            _place: place,
        })
    }

    fn take_free(&self) -> Option<Connection> {
        let mut free = self.free();
        let usable =
            |connection: &Connection| !connection.client.is_closed() && self.is_of_this_era(connection);
        std::iter::from_fn(|| free.pop()).find(usable)
    }

    async fn connect(&self) -> Result<Connection, DatabaseError> {
        let era = self.era.load(Ordering::Acquire);
        let (client, driver) = self.connector.connect().await?;
        tasks::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "an exclusive connection broke");
            }
        });
        Ok(Connection {
            client,
            statements: Statements::default(),
            temp_tables: MadeTables::default(),
            era,
            _counted: Counted::new(&self.open),
        })
    }

    fn is_of_this_era(&self, connection: &Connection) -> bool {
        connection.era == self.era.load(Ordering::Acquire)
    }

    // Every change is one call on the vector, so a panic elsewhere cannot leave it half changed.
    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A borrowed connection. Dropped without [`Lease::give_back`], it is closed.
pub(crate) struct Lease {
    connection: Connection,
    pool: Arc<Pool>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub(crate) fn client(&self) -> &Client {
        &self.connection.client
    }

    /// The prepared form of a statement, asking the server only the first time.
    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.connection.statements.get(sql) {
            return Ok(statement);
        }
        let statement = self.connection.client.prepare(sql).await?;
        self.connection.statements.keep(sql, &statement);
        Ok(statement)
    }

    /// The temporary tables that it has.
    pub(crate) fn temp_tables(&self) -> &MadeTables {
        &self.connection.temp_tables
    }

    /// Keeps every connection that may know the same stale statement from being used again.
    pub(crate) fn retire_statements(&self) {
        self.pool.era.fetch_max(self.connection.era + 1, Ordering::AcqRel);
    }

    /// Gives the connection back. Only for one that is known to be in no transaction.
    pub(crate) fn give_back(self) {
        self.temp_tables().committed();
        if !self.connection.client.is_closed() && self.pool.is_of_this_era(&self.connection) {
            self.pool.free().push(self.connection);
        }
    }

    /// Ends the transaction, or the connection if the server does not answer soon.
    pub(crate) async fn roll_back(self, patience: Duration) {
        match tokio::time::timeout(patience, self.client().batch_execute("ROLLBACK")).await {
            Ok(Ok(())) => {
                self.temp_tables().rolled_back();
                self.give_back();
            }
            Ok(Err(_)) => {}
            Err(_) => self.pool.connector.cancel(self.client()).await,
        }
    }
}
