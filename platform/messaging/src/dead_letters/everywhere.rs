//! All dead letters of an installation, by the queue that they were in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{EventId, Failure, Kind, TenantId};

use super::DeadLetter;
use crate::rabbitmq::Fate;
use crate::{RabbitMq, RabbitMqError};

/// How many are read from a database at once.
const PAGE: u32 = 500;

/// All dead letters of an installation: those in the databases of its services, and those on its broker.
pub struct DeadLetters {
    databases: Vec<Database>,
    broker: Option<Arc<RabbitMq>>,
}

/// A message that could not be consumed, wherever it is. What is `None` was not said: a message from outside may say
/// nothing at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The queue it was in: the name of its consumer.
    pub queue: String,
    /// The event.
    pub event_id: Option<EventId>,
    /// The event's name.
    pub name: Option<String>,
    /// Whose it is.
    pub tenant_id: Option<TenantId>,
    /// What its order was kept by.
    pub key: Option<String>,
    /// The body. It may hold personal data: not for logs.
    pub payload: String,
    /// How often it was delivered.
    pub attempts: Option<i32>,
    /// Why it could not be consumed.
    pub error: String,
    /// When it was given up.
    pub died_at: Option<DateTime<Utc>>,
}

/// Which dead letters of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of this event.
    One(EventId),
    /// All that are there now.
    All,
}

/// The dead letters could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DatabaseError),
    /// The broker failed.
    #[error("the broker failed")]
    Broker(#[from] RabbitMqError),
}

impl Failure for DeadLettersError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Broker(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::Broker(error) => error.code(),
        }
    }
}

impl DeadLetters {
    /// Those of these services, and of this broker if there is one.
    pub fn new(databases: Vec<Database>, broker: Option<Arc<RabbitMq>>) -> Self {
        Self { databases, broker }
    }

    /// Those of one queue, or of all; oldest first within a queue, at most `limit` of each database and each queue of the
    /// broker.
    ///
    /// # Errors
    /// When a database or the broker is away, or the broker knows no such queue.
    pub async fn list(&self, queue: Option<&str>, limit: u32) -> Result<Vec<Letter>, DeadLettersError> {
        let mut letters = Vec::new();
        for database in &self.databases {
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            let found = self.in_database(database, queue, most).await?;
            letters.extend(found.into_iter().map(Letter::from));
        }
        if let Some(broker) = &self.broker {
            letters.extend(broker.dead_letters(queue, limit).await?);
        }
        Ok(letters)
    }

    /// Delivers dead letters of a queue again, each with all its deliveries before it, behind what is queued by now.
    /// Says how many.
    ///
    /// # Errors
    /// As [`DeadLetters::list`]; what was done until then stays done.
    pub async fn replay(&self, queue: &str, which: Which) -> Result<u64, DeadLettersError> {
        self.settle(queue, which, Fate::Replayed).await
    }

    /// Throws dead letters of a queue away. Says how many.
    ///
    /// # Errors
    /// As [`DeadLetters::list`]; what was done until then stays done.
    pub async fn discard(&self, queue: &str, which: Which) -> Result<u64, DeadLettersError> {
        self.settle(queue, which, Fate::Discarded).await
    }

    async fn settle(&self, queue: &str, which: Which, fate: Fate) -> Result<u64, DeadLettersError> {
        let mut settled = 0;
        for database in &self.databases {
            for letter in self.in_database(database, Some(queue), usize::MAX).await? {
                if matches!(which, Which::One(event) if event != letter.event_id) {
                    continue;
                }
                let done = match fate {
                    Fate::Replayed => super::replay(database, letter.id).await?,
                    Fate::Discarded => super::discard(database, letter.id).await?,
                };
                settled += u64::from(done);
            }
        }
        if let Some(broker) = &self.broker {
            settled += broker.settle_dead_letters(queue, which, fate).await?;
        }
        Ok(settled)
    }

    async fn in_database(
        &self,
        database: &Database,
        queue: Option<&str>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, DatabaseError> {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = super::list(database, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let here = page
                .into_iter()
                .filter(|letter| queue.is_none_or(|queue| letter.consumer == queue));
            found.extend(here);
            if found.len() >= most {
                found.truncate(most);
                break;
            }
        }
        Ok(found)
    }
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            queue: letter.consumer,
            event_id: Some(letter.event_id),
            name: Some(letter.name),
            tenant_id: letter.tenant_id,
            key: Some(letter.key),
            payload: letter.payload,
            attempts: Some(letter.attempts),
            error: letter.error,
            died_at: Some(letter.died_at),
        }
    }
}
