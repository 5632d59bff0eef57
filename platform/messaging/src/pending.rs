//! How much a service's messaging still has to do.

use plaza_database::{Database, DatabaseError, row, statements};

row! {
    /// What waits in a service's schema.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Pending {
        /// Events not yet published.
        pub outbox: i64,
        /// Events given up by the relay.
        pub parked: i64,
        /// Deliveries not yet made, those in retry among them. Of a broker's queues those in retry only.
        pub deliveries: i64,
        /// Dead letters.
        pub dead: i64,
    }
}

statements! {
    /// Everything that waits.
    system static PENDING: () => Pending =
        "SELECT (SELECT count(*) FROM outbox WHERE parked_at IS NULL) AS outbox,
                (SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL) AS parked,
                (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM waiting) AS deliveries,
                (SELECT count(*) FROM dead_letters WHERE state = 'dead') AS dead";
}

impl Pending {
    /// Whether neither the relay nor a consumer has anything to do.
    pub const fn is_settled(&self) -> bool {
        self.outbox == 0 && self.deliveries == 0
    }
}

/// What waits in a service's schema.
pub async fn pending(database: &Database) -> Result<Pending, DatabaseError> {
    let tx = database.begin_system();
    let pending = tx.one(&PENDING, ()).await?;
    tx.commit().await?;
    Ok(pending)
}
