//! The planner: leases a campaign, decides about a batch of recipients, and writes their plan rows, the event that asks
//! notification to send, and the place it reached, in one transaction.

use std::collections::HashMap;
use std::time::Duration;

use plaza_contracts::events::BroadcastSend;
use plaza_contracts::ids::CampaignId;
use plaza_messaging::outbox;
use postgres_types::Json;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::claims::{self, Task};
use super::plan::{self, Planned, Reason, Rules, decide};
use super::{StoredCampaign, store};
use crate::Broadcast;
use crate::recipients::Recipient;
use crate::work::{Fault, Lease};

/// How long planning waits for notification when it is away.
const PAUSE: Duration = Duration::from_secs(1);

impl Broadcast {
    /// One turn at one campaign; whether there may be more to do.
    pub(crate) async fn plan_turn(&self, stop: &CancellationToken) -> Result<bool, Fault> {
        let Some(lease) = self.take_up(Task::Plan, self.config.lease()).await? else {
            return Ok(false);
        };
        match self.work_on_campaign(lease, stop).await {
            Ok(()) | Err(Fault::Lost) => Ok(true),
            Err(fault) if fault.is_stubborn() => self.planning_failed(lease, fault).await,
            // Notification is away: that is no failure of this campaign, and a short pause is enough.
            Err(fault @ Fault::Notification(_)) => {
                tracing::warn!(
                    error = &fault as &dyn std::error::Error,
                    "planning waits for notification"
                );
                let tx = self.database.begin(lease.tenant);
                claims::renew(&tx, lease.id, lease.token, Some(PAUSE)).await?;
                tx.commit().await?;
                Ok(true)
            }
            // The lease runs out by itself, which is the pause before the next attempt.
            Err(fault) => Err(fault),
        }
    }

    /// Counts a failure that is likely to repeat itself, and gives the campaign up after too many of them.
    async fn planning_failed(&self, lease: Lease<CampaignId>, fault: Fault) -> Result<bool, Fault> {
        let tx = self.database.begin(lease.tenant);
        let failures = claims::failed(&tx, lease.id, lease.token).await?;
        tx.commit().await?;
        if failures.is_none_or(|failures| failures < self.attempts()) {
            return Err(fault);
        }
        tracing::error!(error = &fault as &dyn std::error::Error, campaign.id = %lease.id, "campaign given up");
        self.give_up_campaign(lease).await?;
        Ok(true)
    }

    async fn work_on_campaign(
        &self,
        lease: Lease<CampaignId>,
        stop: &CancellationToken,
    ) -> Result<(), Fault> {
        for _ in 0..self.config.turn_batches.max(1) {
            if stop.is_cancelled() {
                break;
            }
            let span = tracing::info_span!(parent: None, "plan batch", campaign.id = %lease.id);
            let batch = self.plan_batch(lease).instrument(lease.follow(span));
            if batch.await? {
                return Ok(());
            }
        }
        let tx = self.database.begin(lease.tenant);
        claims::renew(&tx, lease.id, lease.token, None).await?;
        Ok(tx.commit().await?)
    }

    /// Plans the next recipients; whether they were the last ones.
    async fn plan_batch(&self, lease: Lease<CampaignId>) -> Result<bool, Fault> {
        let (campaign, recipients) = self.next_recipients(lease).await?;
        let phones = recipients
            .iter()
            .filter_map(|recipient| recipient.phone.clone())
            .collect();
        // Asked between the two transactions: no network call happens inside one.
        let excluded = self
            .notification
            .excluded(lease.tenant, campaign.channel, campaign.class, phones)
            .await?;
        self.write_plan(lease, &campaign, &recipients, &excluded).await
    }

    async fn next_recipients(
        &self,
        lease: Lease<CampaignId>,
    ) -> Result<(StoredCampaign, Vec<Recipient>), Fault> {
        let tx = self.database.begin(lease.tenant);
        let campaign = claims::lock_leased(&tx, lease.id, lease.token)
            .await?
            .ok_or(Fault::Lost)?;
        claims::renew(&tx, lease.id, lease.token, Some(self.config.lease())).await?;
        let recipients = match campaign.snapshot {
            Some(last) => {
                plan::next(
                    &tx,
                    (campaign.cursor, last),
                    &campaign.audience.0,
                    self.config.planner_rows(),
                )
                .await?
            }
            None => Vec::new(),
        };
        tx.commit().await?;
        Ok((campaign, recipients))
    }

    /// Writes the plan of a batch; whether it was the last one.
    async fn write_plan(
        &self,
        lease: Lease<CampaignId>,
        read: &StoredCampaign,
        recipients: &[Recipient],
        excluded: &HashMap<String, Reason>,
    ) -> Result<bool, Fault> {
        let tx = self.database.begin(lease.tenant);
        let mut campaign = claims::lock_leased(&tx, lease.id, lease.token)
            .await?
            .ok_or(Fault::Lost)?;
        let (Some(Json(template)), Some(sender_id)) = (campaign.frozen.clone(), campaign.sender_id) else {
            return Err(plaza_database::DatabaseError::MissingRow.into());
        };
        // The batch was read for this place; with any other, somebody else was here meanwhile.
        if campaign.cursor != read.cursor {
            return Err(Fault::Lost);
        }
        let audience = campaign.audience.0.clone();
        let rules = Rules {
            channel: campaign.channel,
            class: campaign.class,
            audience: &audience,
            template: &template,
            expires_at: campaign.expires_at,
            excluded,
        };
        let mut taken = plan::taken(&tx, lease.id, recipients).await?;
        let rows = decide(recipients, &rules, &mut taken, &self.clock);
        let now = self.now();
        plan::insert(&tx, lease.id, &rows, now).await?;
        let shard = advance(&mut campaign, &rows);
        let finished = i64::try_from(recipients.len()).unwrap_or(i64::MAX) < self.config.planner_rows();
        let changed = if finished { campaign.planned().ok() } else { None };
        store::save(&tx, &mut campaign, now).await?;

        let messages: Vec<_> = rows.into_iter().filter_map(|row| row.message).collect();
        if !messages.is_empty() {
            let event = BroadcastSend {
                campaign_id: lease.id,
                sender_id,
                shard,
                messages,
            };
            outbox::append(&tx, &self.clock, &event).await?;
        }
        if let Some(changed) = &changed {
            outbox::append(&tx, &self.clock, changed).await?;
        }
        plaza_telemetry::crash::point("broadcast.plan.written");
        tx.commit().await?;
        plaza_telemetry::crash::point("broadcast.plan.committed");
        metrics::counter!("plaza_broadcast_planned_total")
            .increment(u64::try_from(recipients.len()).unwrap_or_default());
        Ok(finished)
    }

    async fn give_up_campaign(&self, lease: Lease<CampaignId>) -> Result<(), Fault> {
        let tx = self.database.begin(lease.tenant);
        let mut campaign = claims::lock_leased(&tx, lease.id, lease.token)
            .await?
            .ok_or(Fault::Lost)?;
        if let Ok(changed) = campaign.give_up() {
            store::save(&tx, &mut campaign, self.now()).await?;
            outbox::append(&tx, &self.clock, &changed).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Moves the campaign past these rows; the number of their part of the campaign.
fn advance(campaign: &mut StoredCampaign, rows: &[Planned]) -> u32 {
    for row in rows {
        *campaign.planned.0.entry(row.reason.to_string()).or_default() += 1;
    }
    campaign.cursor = rows.last().map(|row| row.recipient).or(campaign.cursor);
    let shard = u32::try_from(campaign.shards).unwrap_or_default();
    campaign.shards = campaign.shards.saturating_add(1);
    shard
}
