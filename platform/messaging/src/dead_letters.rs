//! Dead letters: events that a consumer could not consume, kept until somebody replays or discards them.
//!
//! [`DeadLetters`] is the way to all of them, wherever they are: in the databases of the services, or on a broker.
//! [`list`] and [`replay`] know those of one database.

mod everywhere;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, row, statements};
use plaza_kernel::{EventId, TenantId};

use crate::runner;

pub use everywhere::{DeadLetters, DeadLettersError, Letter, Which};

row! {
    /// An event that a consumer could not consume.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DeadLetter {
        /// Its number in this service.
        pub id: i64,
        /// Who could not consume it.
        pub consumer: String,
        /// The event.
        pub event_id: EventId,
        /// Whose it is.
        pub tenant_id: Option<TenantId>,
        /// What its order was kept by.
        pub key: String,
        /// The event's name.
        pub name: String,
        /// The service that said so.
        pub source: String,
        /// The body. It may hold personal data: not for logs.
        pub payload: String,
        /// How often it was delivered.
        pub attempts: i32,
        /// Why it could not be consumed.
        pub error: String,
        /// When it was given up.
        pub died_at: DateTime<Utc>,
    }
}

statements! {
    /// Throws it away.
    system static DISCARD: (i64,) => () = "DELETE FROM dead_letters WHERE id = $1 AND state = 'dead'";

    /// The dead ones after a number, oldest first.
    system static LIST: (i64, i64) => DeadLetter =
        "SELECT id, consumer, event_id, tenant_id, key, name, source, payload, attempts, error, died_at
           FROM dead_letters
          WHERE state = 'dead' AND id > $1
          ORDER BY id
          LIMIT $2";

    /// Queues it again, with all its deliveries before it.
    system static REPLAY: (i64,) => () =
        "WITH revived AS (
             UPDATE dead_letters SET state = 'replayed' WHERE id = $1 AND state = 'dead' RETURNING *)
         INSERT INTO deliveries (consumer, event_id, tenant_id, key, name, version, source, payload, traceparent,
                                 created_at)
         SELECT consumer, event_id, tenant_id, key, name, version, source, payload, traceparent, created_at
           FROM revived
             ON CONFLICT DO NOTHING";
}

/// The dead letters of a service whose number is greater than `after`, oldest first, at most `limit`.
pub async fn list(database: &Database, after: i64, limit: u32) -> Result<Vec<DeadLetter>, DatabaseError> {
    let tx = database.begin_system();
    let letters = tx.all(&LIST, (after, i64::from(limit))).await?;
    tx.commit().await?;
    Ok(letters)
}

/// Delivers a dead letter again, behind what is queued for its consumer by now. False if there is no such dead letter.
pub async fn replay(database: &Database, id: i64) -> Result<bool, DatabaseError> {
    let tx = database.begin_system();
    tx.signal_on_commit(runner::SIGNAL);
    Ok(tx.execute_and_commit(&REPLAY, (id,)).await? > 0)
}

/// Throws a dead letter away. False if there is no such dead letter.
async fn discard(database: &Database, id: i64) -> Result<bool, DatabaseError> {
    Ok(database
        .begin_system()
        .execute_and_commit(&DISCARD, (id,))
        .await?
        > 0)
}
