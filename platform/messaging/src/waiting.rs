//! What waits in a broker's retry queues, in its order per consumer and key.
//!
//! A broker gives back what waited behind what came meanwhile. So each waiting event has a row, and only the first of a
//! key is consumed: later ones of that key go to the same retry queue behind it, without an attempt being counted.
//!
//! A first one that is due, and does not come although those behind it come again and again, has left its queue by
//! another way: somebody emptied the queue, or the broker buried it because a process died with it too often. Retry
//! queues and the consumer's own keep their order, so it would have come before them. Then its row is removed.

use std::time::Duration;

use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{EventId, TenantId};

use crate::attempt::Claim;
use crate::tries;

/// How often those behind an event that is due come again before it is given up.
const ROUNDS: i32 = 3;

row! {
    /// The first event of a key that waits.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Head {
        event_id: EventId,
        attempts: i32,
        level: i32,
    }
}

statements! {
    /// The first of a key.
    static HEAD: (TenantId, String, String) => Head =
        "SELECT event_id, attempts, level FROM waiting
          WHERE tenant_id = $1 AND consumer = $2 AND key = $3
          ORDER BY place
          LIMIT 1";

    /// Ends an event's waiting.
    static REMOVE: (TenantId, String, EventId) => () =
        "DELETE FROM waiting WHERE tenant_id = $1 AND consumer = $2 AND event_id = $3";

    /// An event failed and waits for its next try. It keeps the place it has.
    static FAILED: (TenantId, String, EventId, String, i32, i32, f64) => () =
        "INSERT INTO waiting (tenant_id, consumer, event_id, key, attempts, level, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
             ON CONFLICT (tenant_id, consumer, event_id) DO UPDATE
            SET attempts = excluded.attempts, level = excluded.level, due_at = excluded.due_at";

    /// An event goes behind another one, and says how often it did since that one was due.
    static BEHIND: (TenantId, String, EventId, String, i32, f64, EventId, i32) => (i32,) =
        "INSERT INTO waiting AS w (tenant_id, consumer, event_id, key, attempts, level, due_at, behind, behind_attempts)
         VALUES ($1, $2, $3, $4, 0, $5, now() + make_interval(secs => $6), $7, $8)
             ON CONFLICT (tenant_id, consumer, event_id) DO UPDATE
            SET level = excluded.level, due_at = excluded.due_at,
                behind = excluded.behind, behind_attempts = excluded.behind_attempts,
                rounds = CASE WHEN w.behind = excluded.behind AND w.behind_attempts = excluded.behind_attempts
                                   AND EXISTS (SELECT FROM waiting head
                                                WHERE head.tenant_id = $1 AND head.consumer = $2
                                                  AND head.event_id = $7 AND head.due_at <= now())
                              THEN w.rounds + 1 ELSE 0 END
         RETURNING rounds";
}

/// An event of a consumer, as the table knows it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) tenant: TenantId,
    pub(crate) consumer: &'static str,
    pub(crate) event: EventId,
    pub(crate) key: String,
    /// Its tries are counted beside it.
    pub(crate) counted: bool,
}

impl Claim for Place {
    /// Another event of the key comes first.
    type Obstacle = Head;

    async fn take(&self, tx: &TenantTx) -> Result<Option<Head>, DatabaseError> {
        let params = (self.tenant, self.consumer.to_owned(), self.key.clone());
        match tx.optional(&HEAD, params).await? {
            Some(head) if head.event_id == self.event => {
                tx.execute(&REMOVE, self.named()).await?;
            }
            Some(obstacle) => return Ok(Some(obstacle)),
            None => {}
        }
        if self.counted {
            tries::end(tx, self).await?;
        }
        Ok(None)
    }
}

impl Head {
    /// The retry queue to go to behind it: its own while it waits for a try. What only waits itself comes back soon.
    pub(crate) const fn level_behind(&self) -> i32 {
        if self.attempts > 0 { self.level } else { 1 }
    }
}

impl Place {
    /// How its rows are found.
    pub(crate) fn named(&self) -> (TenantId, String, EventId) {
        self.named_as(self.event)
    }

    fn named_as(&self, event: EventId) -> (TenantId, String, EventId) {
        (self.tenant, self.consumer.to_owned(), event)
    }

    /// Writes down that the event failed and comes back after the delay.
    pub(crate) async fn failed(
        &self,
        database: &Database,
        attempts: i32,
        delay: Duration,
    ) -> Result<(), DatabaseError> {
        let (tenant, consumer, event) = self.named();
        let params = (
            tenant,
            consumer,
            event,
            self.key.clone(),
            attempts,
            attempts,
            delay.as_secs_f64(),
        );
        database
            .begin(self.tenant)
            .execute_and_commit(&FAILED, params)
            .await?;
        Ok(())
    }

    /// Writes down that the event goes behind another one and comes back after the delay. False if that one will not
    /// come any more: its row is gone then, and the event may be tried again at once.
    pub(crate) async fn behind(
        &self,
        database: &Database,
        head: &Head,
        delay: Duration,
    ) -> Result<bool, DatabaseError> {
        let (tenant, consumer, event) = self.named();
        let params = (
            tenant,
            consumer,
            event,
            self.key.clone(),
            head.level_behind(),
            delay.as_secs_f64(),
            head.event_id,
            head.attempts,
        );
        let tx = database.begin(self.tenant);
        let (rounds,) = tx.one(&BEHIND, params).await?;
        let comes = rounds <= ROUNDS;
        if !comes {
            tx.execute(&REMOVE, self.named_as(head.event_id)).await?;
            let consumer = self.consumer;
            tracing::error!(consumer, event = %head.event_id, "an event left its retry queue unseen; its key goes on without it");
        }
        tx.commit().await?;
        Ok(comes)
    }

    /// The event does not wait any more.
    pub(crate) async fn remove(&self, database: &Database) -> Result<(), DatabaseError> {
        database
            .begin(self.tenant)
            .execute_and_commit(&REMOVE, self.named())
            .await?;
        Ok(())
    }
}
