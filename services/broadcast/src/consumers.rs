//! The events this service reacts to.

use plaza_contracts::events::SourceSettled;
use plaza_database::TenantTx;
use plaza_kernel::Clock;
use plaza_messaging::{Consumer, Subscriptions, Unconsumed};

use crate::campaigns::settle::settle;
use crate::{Broadcast, notification};

/// Completes a campaign once notification has done all it was asked.
///
/// The counts are believed as they come: should somebody make them up, a running campaign is called completed early, and
/// every message of it goes out all the same.
pub struct CompleteCampaigns {
    clock: Clock,
}

impl CompleteCampaigns {
    /// The consumer.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Consumer for CompleteCampaigns {
    type Event = SourceSettled;
    const NAME: &'static str = "broadcast.complete_campaigns";

    async fn consume(&self, tx: &TenantTx, event: &SourceSettled) -> Result<(), Unconsumed> {
        let Some(campaign) = notification::campaign_of(&event.source) else {
            return Ok(());
        };
        settle(tx, &self.clock, campaign, &event.by_state)
            .await
            .map_err(Unconsumed::retry)?;
        Ok(())
    }
}

/// All of them.
pub(crate) fn subscriptions(broadcast: &Broadcast) -> Subscriptions {
    Subscriptions::new().with(CompleteCampaigns {
        clock: broadcast.clock.clone(),
    })
}
