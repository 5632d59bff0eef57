//! Runs messaging until nothing is left to do.

use std::time::Duration;

use plaza_database::Database;
use plaza_kernel::Clock;
use plaza_messaging::{Messaging, MessagingSettings, Subscriptions, pending};

const DEADLINE: Duration = Duration::from_secs(20);

/// Relays and consumes until outboxes and deliveries of all these services are empty.
///
/// Retries come at once; what fails five times ends among the dead letters, which [`assert_nothing_unhandled`]
/// finds.
///
/// # Panics
/// When there is still work after 20 s; the message says where.
pub async fn settle(hosted: impl IntoIterator<Item = (Database, Subscriptions)>) {
    let settings = MessagingSettings {
        poll: Duration::from_millis(5),
        delays: vec![Duration::from_millis(1); 4],
        backoff: Duration::from_millis(1),
        ..MessagingSettings::default()
    };
    let mut messaging = Messaging::in_process(settings, Clock::system());
    for (database, subscriptions) in hosted {
        messaging.host(database, subscriptions);
    }
    if let Err(error) = messaging.drain(DEADLINE).await {
        panic!("not settled after {DEADLINE:?}: {error}");
    }
}

/// Asserts that the service's every outbox row was relayed, every delivery consumed, and none became a dead letter.
///
/// [`TestDatabase::assert_nothing_unhandled`](crate::TestDatabase::assert_nothing_unhandled) says the same of all
/// services, and which rows they are.
///
/// # Panics
/// With the counts.
pub async fn assert_nothing_unhandled(database: &Database) {
    match pending(database).await {
        Ok(left) => {
            let nothing = left.is_settled() && left.parked == 0 && left.dead == 0;
            assert!(
                nothing,
                "{} left something unhandled: {left:?}",
                database.service()
            );
        }
        Err(error) => panic!("the queues of {} cannot be read: {error}", database.service()),
    }
}
