//! How the readers of a queue ended.
//!
//! The broker gives a queue to one reader at a time. If the last one ended in order, whatever it had begun is settled:
//! what comes again was only held. If it died, what comes again may have killed it, and counts as tried.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plaza_database::{Database, DatabaseError, statements};
use uuid::Uuid;

statements! {
    /// From now on this reader has the queue. Who had it before, and whether that ended in order.
    system static BEGIN: (String, Uuid) => (Option<Uuid>, bool) =
        "WITH last AS (SELECT reader, ended FROM readings WHERE consumer = $1)
         INSERT INTO readings (consumer, reader, ended) VALUES ($1, $2, false)
             ON CONFLICT (consumer) DO UPDATE SET reader = excluded.reader, ended = excluded.ended
         RETURNING (SELECT reader FROM last), coalesce((SELECT ended FROM last), true)";

    /// The reader ended in order, unless another one has begun.
    system static END: (String, Uuid) => () =
        "UPDATE readings SET ended = true WHERE consumer = $1 AND reader = $2";
}

/// What one reader of a consumer's queue knows of it.
pub(crate) struct Reading {
    database: Database,
    consumer: &'static str,
    reader: Uuid,
    /// How long it may take to write down anything.
    patience: Duration,
    /// Whether this reader ended in order the last time, should the database not know.
    ended: AtomicBool,
}

impl Reading {
    /// Of a reader that has not begun yet.
    pub(crate) fn new(database: &Database, consumer: &'static str, reader: Uuid, patience: Duration) -> Self {
        Self {
            database: database.clone(),
            consumer,
            reader,
            patience,
            ended: AtomicBool::new(false),
        }
    }

    /// The first message is there. Says whether what comes again was only held before; none if that cannot be told now.
    pub(crate) async fn begin(&self) -> Option<bool> {
        let tx = self.database.begin_system();
        let beginning = async {
            let last = tx.one(&BEGIN, (self.consumer.to_owned(), self.reader)).await?;
            tx.commit().await?;
            Ok(last)
        };
        let (last, ended) = self.said(beginning).await?;
        let ours = last == Some(self.reader) && self.ended.load(Ordering::Relaxed);
        self.ended.store(false, Ordering::Relaxed);
        Some(ended || ours)
    }

    /// All that was begun is settled.
    pub(crate) async fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let params = (self.consumer.to_owned(), self.reader);
        let tx = self.database.begin_system();
        // Otherwise this reader still knows.
        let _ = self.said(tx.execute_and_commit(&END, params)).await;
    }

    async fn said<T>(&self, work: impl Future<Output = Result<T, DatabaseError>>) -> Option<T> {
        let consumer = self.consumer;
        match tokio::time::timeout(self.patience, work).await {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(consumer, error, "who reads a queue could not be written down");
            }
            Err(_) => tracing::debug!(consumer, "who reads a queue could not be written down in time"),
        }
        None
    }
}
