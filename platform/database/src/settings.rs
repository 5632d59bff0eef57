//! What the databases of a process are set to.

use std::time::Duration;

use secrecy::SecretString;

/// How to reach the databases of all services.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Where the database is and as whom the migrator logs in (needs CREATEROLE). Only `up` and `migrate` use it
    /// to log in; the services take host, port and database name from it.
    pub url: SecretString,
    /// The key that role passwords are derived from: HMAC-SHA256(key, role name).
    pub role_key: SecretString,
    /// Connections of the read door, per service.
    pub shared: usize,
    /// Connections for transactions, per service.
    pub exclusive: usize,
    /// Connections of the system login, per service.
    pub system: usize,
}

/// How long things may take, and how much may go on at once.
#[derive(Debug, Clone)]
pub struct DatabaseLimits {
    /// Reads at once on one shared connection.
    pub reads_at_once: usize,
    /// How long a read waits for a place among them.
    pub read_wait: Duration,
    /// How long the server may work on a read.
    pub read_timeout: Duration,
    /// How long a read may wait for a lock.
    pub read_lock_timeout: Duration,
    /// How long a shared connection may leave all its reads unanswered before it is given up.
    pub read_silence: Duration,
    /// How long a transaction waits for a connection.
    pub transaction_wait: Duration,
    /// How long the server may work on one statement of a transaction.
    pub statement_timeout: Duration,
    /// The same for the system login.
    pub system_statement_timeout: Duration,
    /// How long a transaction may wait for its next statement.
    pub idle_in_transaction: Duration,
    /// How long connecting may take.
    pub connect: Duration,
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        Self {
            reads_at_once: 32,
            read_wait: Duration::from_secs(1),
            read_timeout: Duration::from_millis(250),
            read_lock_timeout: Duration::from_millis(100),
            read_silence: Duration::from_secs(5),
            transaction_wait: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
            system_statement_timeout: Duration::from_secs(15),
            idle_in_transaction: Duration::from_secs(30),
            connect: Duration::from_secs(5),
        }
    }
}

/// A login that overrides the derived one (`PLAZA_<SERVICE>_DATABASE_URL`, `PLAZA_<SERVICE>_SYSTEM_DATABASE_URL`).
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// For the service.
    pub service: Option<SecretString>,
    /// For its system login.
    pub system: Option<SecretString>,
}
