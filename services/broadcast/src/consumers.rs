//! The events this service reacts to.

use plaza_contracts::events::{
    OptOutRecorded, SenderDegraded, SourceSettled, SourceTripped, TemplateStateChanged,
};
use plaza_database::TenantTx;
use plaza_kernel::Clock;
use plaza_messaging::{Consumer, Subscriptions, Unconsumed};

use crate::campaigns::claims;
use crate::campaigns::steer::pause_for;
use crate::campaigns::store::under_way_from;
use crate::recipients::objections;
use crate::templates::states;
use crate::{Broadcast, notification};

/// Has it looked at whether a campaign is over, because notification says that it has done all it was asked.
///
/// Its counts are not believed: they may be of before what failed was tried again, and be told late or twice. Notification is
/// asked for those of now.
pub struct CompleteCampaigns;

impl Consumer for CompleteCampaigns {
    type Event = SourceSettled;
    const NAME: &'static str = "broadcast.complete_campaigns";

    async fn consume(&self, tx: &TenantTx, event: &SourceSettled) -> Result<(), Unconsumed> {
        let Some(campaign) = notification::campaign_of(&event.source) else {
            return Ok(());
        };
        claims::look_soon(tx, campaign).await.map_err(Unconsumed::retry)
    }
}

/// Pauses a campaign that notification stopped because too much of it failed for one reason. It is told to hold it once
/// more: so a person who resumed it before this was heard has it paused all the same, and can see why.
pub struct PauseTripped {
    clock: Clock,
}

impl PauseTripped {
    /// The consumer.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Consumer for PauseTripped {
    type Event = SourceTripped;
    const NAME: &'static str = "broadcast.pause_tripped";

    async fn consume(&self, tx: &TenantTx, event: &SourceTripped) -> Result<(), Unconsumed> {
        let Some(campaign) = notification::campaign_of(&event.source) else {
            return Ok(());
        };
        let reason = reason("TRIPPED", &event.code);
        pause_for(tx, &self.clock, campaign, &reason)
            .await
            .map_err(Unconsumed::retry)?;
        Ok(())
    }
}

/// Pauses the campaigns of a sender that cannot send: nothing of them would leave, and whoever looks sees why.
pub struct PauseSender {
    clock: Clock,
}

impl PauseSender {
    /// The consumer.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Consumer for PauseSender {
    type Event = SenderDegraded;
    const NAME: &'static str = "broadcast.pause_sender";

    async fn consume(&self, tx: &TenantTx, event: &SenderDegraded) -> Result<(), Unconsumed> {
        let campaigns = under_way_from(tx, event.sender_id)
            .await
            .map_err(Unconsumed::retry)?;
        let reason = reason("SENDER", &event.status);
        for campaign in campaigns {
            pause_for(tx, &self.clock, campaign, &reason)
                .await
                .map_err(Unconsumed::retry)?;
        }
        Ok(())
    }
}

/// Writes down at a recipient that they do not want to be written to, or want it again.
pub struct NoteOptOut;

impl Consumer for NoteOptOut {
    type Event = OptOutRecorded;
    const NAME: &'static str = "broadcast.note_optout";

    async fn consume(&self, tx: &TenantTx, event: &OptOutRecorded) -> Result<(), Unconsumed> {
        objections::note(tx, event).await.map_err(Unconsumed::retry)
    }
}

/// Writes down what the provider says of a template.
pub struct NoteTemplateState;

impl Consumer for NoteTemplateState {
    type Event = TemplateStateChanged;
    const NAME: &'static str = "broadcast.note_template_state";

    async fn consume(&self, tx: &TenantTx, event: &TemplateStateChanged) -> Result<(), Unconsumed> {
        states::note(tx, event).await.map_err(Unconsumed::retry)
    }
}

/// `TRIPPED_131049`: a code of ours and what others said, as far as it belongs into a code.
fn reason(ours: &str, said: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let said: String = said.chars().filter(fits).take(40).collect();
    match said.as_str() {
        "" => ours.to_owned(),
        said => format!("{ours}_{}", said.to_ascii_uppercase()),
    }
}

/// All of them.
pub(crate) fn subscriptions(broadcast: &Broadcast) -> Subscriptions {
    let clock = || broadcast.clock.clone();
    Subscriptions::new()
        .with(CompleteCampaigns)
        .with(PauseTripped::new(clock()))
        .with(PauseSender::new(clock()))
        .with(NoteOptOut)
        .with(NoteTemplateState)
}
