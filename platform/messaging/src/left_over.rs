//! What the other way of events has left, when an installation changes from one to the other.
//!
//! To a broker: what is still queued in the database is older than whatever comes over the broker. So each consumer's
//! queue is read only when the database has nothing of that time any more: the order of a key lasts through the change.
//!
//! Back: nobody reads a broker that is not configured. The database knows of what is in its retry queues only.

use std::time::Duration;

use plaza_database::{Database, DatabaseError, row, statements};

/// How often it is looked whether the database has anything left.
const LOOK: Duration = Duration::from_millis(200);
/// The pause when the database could not be asked.
const AWAY: Duration = Duration::from_secs(2);

row! {
    /// What the other way of events has left in a service's schema.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LeftOver {
        /// Events queued in the database. Over a broker they are consumed first, and only then the broker's queues are
        /// read.
        pub queued: i64,
        /// Events in a broker's retry queues. A process without a broker never gets them.
        pub retrying: i64,
    }
}

statements! {
    /// What is left.
    system static LEFT: () => LeftOver =
        "SELECT (SELECT count(*) FROM deliveries) AS queued, (SELECT count(*) FROM waiting) AS retrying";

    /// The last of a consumer.
    system static NEWEST: (String,) => (i64,) =
        "SELECT coalesce(max(id), 0) FROM deliveries WHERE consumer = $1";

    /// Whether a consumer has something that old.
    system static ANY_UP_TO: (String, i64) => (bool,) =
        "SELECT EXISTS (SELECT FROM deliveries WHERE consumer = $1 AND id <= $2)";
}

/// What the other way of events has left in a service's schema: `queued` matters to processes with a broker, `retrying`
/// to those without.
pub async fn left_over(database: &Database) -> Result<LeftOver, DatabaseError> {
    let tx = database.begin_system();
    let left = tx.one(&LEFT, ()).await?;
    tx.commit().await?;
    Ok(left)
}

/// Waits until a consumer has consumed what the database has queued for it by now. What is queued later (a dead letter
/// that is replayed) has no order to keep.
pub(crate) async fn consumed(database: &Database, consumer: &'static str) {
    let (mut newest, mut told) = (None, false);
    loop {
        let mut pause = LOOK;
        match is_consumed(database, consumer, &mut newest).await {
            Ok(true) => return,
            Ok(false) if told => {}
            Ok(false) => {
                tracing::info!(consumer, "the database's queue is consumed before the broker's");
                told = true;
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(consumer, error, "looking for what the database has queued failed");
                pause = AWAY;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

async fn is_consumed(
    database: &Database,
    consumer: &str,
    newest: &mut Option<i64>,
) -> Result<bool, DatabaseError> {
    let tx = database.begin_system();
    let last = match *newest {
        Some(last) => last,
        None => tx.one(&NEWEST, (consumer.to_owned(),)).await?.0,
    };
    *newest = Some(last);
    // Nothing was ever queued, or all of it is gone.
    let (any,) = tx.one(&ANY_UP_TO, (consumer.to_owned(), last)).await?;
    tx.commit().await?;
    Ok(!any)
}

/// Says so if events are on a broker that this process does not have.
pub(crate) async fn tell_what_is_stranded(database: &Database) {
    match left_over(database).await {
        Ok(left) if left.retrying > 0 => {
            let (service, events) = (database.service(), left.retrying);
            tracing::error!(
                %service,
                events,
                "events are left on a broker, and this process has none: start once more with it, until its queues are empty"
            );
        }
        // That the database is away others say.
        _ => {}
    }
}
