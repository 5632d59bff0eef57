//! One delivery from the queue in the database: the attempt, and everything about trying again outside of it.

use std::time::Duration;

use plaza_database::{DatabaseError, TenantTx};

use crate::attempt::{Attempt, Claim, Outcome};
use crate::delivery_queue::{self, Claimed};
use crate::{Envelope, error_text};

/// The pause after the database could not be reached; the attempt does not count.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// A claimed delivery and the consumer it is for.
pub(crate) struct Delivery {
    pub(crate) attempt: Attempt,
    pub(crate) claimed: Claimed,
}

/// Somebody else claimed it meanwhile.
pub(crate) struct Lost;

impl Claim for Claimed {
    type Obstacle = Lost;

    async fn take(&self, tx: &TenantTx) -> Result<Option<Lost>, DatabaseError> {
        let ours = delivery_queue::take_away(tx, self).await?;
        Ok((!ours).then_some(Lost))
    }
}

impl Delivery {
    /// Makes the delivery and writes down what became of it. Without that (a crash, a dropped task) the claim runs out
    /// and the event is delivered again.
    pub(crate) async fn make(mut self) {
        let envelope = self.claimed.take_envelope();
        let number = self.claimed.attempts;
        let outcome = self.attempt.make(&envelope, &self.claimed, number).await;
        if let Err(error) = self.record(&envelope, outcome).await {
            let (consumer, error): (_, &dyn std::error::Error) = (self.attempt.consumer, &error);
            tracing::warn!(consumer, event = %envelope.id, error, "the end of a delivery was not recorded");
        }
    }

    async fn record(&self, envelope: &Envelope, outcome: Outcome<Lost>) -> Result<(), DatabaseError> {
        let Attempt {
            database,
            settings,
            consumer,
            ..
        } = &self.attempt;
        match outcome {
            Outcome::Done | Outcome::Repeated => Ok(()),
            Outcome::NotNow(Lost) => {
                tracing::debug!(consumer, event = %envelope.id, "another runner has the delivery");
                Ok(())
            }
            Outcome::NotBegun(error) => {
                let error = error_text::chain(&error);
                tracing::warn!(consumer, event = %envelope.id, error, "a delivery could not begin");
                delivery_queue::give_back(database, &self.claimed, DATABASE_AWAY).await
            }
            Outcome::Failed(error) => match settings.delay_after(self.claimed.attempts) {
                Some(delay) => {
                    let attempts = self.claimed.attempts;
                    tracing::warn!(consumer, event = %envelope.id, attempts, error, "a delivery failed");
                    delivery_queue::postpone(database, &self.claimed, error, delay).await
                }
                None => self.bury(envelope, error).await,
            },
            Outcome::Refused(error) => self.bury(envelope, error).await,
        }
    }

    async fn bury(&self, envelope: &Envelope, error: String) -> Result<(), DatabaseError> {
        let Attempt { database, clock, .. } = &self.attempt;
        if delivery_queue::bury(database, &self.claimed, error.clone(), clock.now()).await? {
            self.attempt.buried(envelope, self.claimed.attempts, &error);
        }
        Ok(())
    }
}
