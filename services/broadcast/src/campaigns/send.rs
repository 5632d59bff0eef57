//! Sending a draft: from here on the planner has it, at once or when its time has come.

use plaza_contracts::events::CampaignStateChanged;
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::{DatabaseError, TenantTx, kind};
use plaza_kernel::{Answer, Failure, Kind, TenantId};
use plaza_messaging::outbox;
use plaza_once::{Entry, OnceError};
use plaza_rpc::RpcError;

use super::{Campaign, CampaignState, Channel, StoredCampaign, WrongState, store};
use crate::repeatable::Repeatable;
use crate::{Broadcast, audit, templates, work};

/// The operation, as idempotency keys know it.
const SEND: &str = "send_campaign";

/// Why a campaign was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is none of this id.
    #[error("there is no such campaign")]
    NotFound,
    /// It is no draft.
    #[error(transparent)]
    State(#[from] WrongState),
    /// It was changed while it was being sent.
    #[error("the campaign was changed meanwhile")]
    Changed,
    /// There is no sender that it could go out from.
    #[error("there is no sender that it could go out from")]
    NoSender,
    /// The template was removed.
    #[error("its template was removed")]
    NoTemplate,
    /// The template is advertising now, and the campaign must not be.
    #[error("a marketing template needs class marketing")]
    Class,
    /// The provider does not take the template from this sender.
    #[error("the provider does not take its template now: {0}")]
    Template(String),
    /// Nothing of it would leave any more.
    #[error("the time until which it may be sent is over")]
    Expired,
    /// It cannot be repeated like this.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// Notification failed.
    #[error("notification failed")]
    Notification(#[source] RpcError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for SendError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::State(_)
            | Self::Changed
            | Self::NoSender
            | Self::NoTemplate
            | Self::Class
            | Self::Template(_)
            | Self::Expired => Kind::Conflict,
            Self::Once(error) => error.kind(),
            Self::Notification(error) => error.kind(),
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::State(_) => "CAMPAIGN_STATE",
            Self::Changed => "CAMPAIGN_CHANGED",
            Self::NoSender => "SENDER_NOT_FOUND",
            Self::NoTemplate => "TEMPLATE_NOT_FOUND",
            Self::Class => "CLASS_MISMATCH",
            Self::Template(_) => "TEMPLATE_NOT_APPROVED",
            Self::Expired => "CAMPAIGN_EXPIRED",
            Self::Once(error) => error.code(),
            Self::Notification(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Once(error) => error.retry_after(),
            Self::Notification(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl Broadcast {
    /// Begins to send a draft, or lets it wait for its time. Of two at once one wins; the other learns that it is no draft
    /// any more.
    pub async fn send_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
        repeatable: &Repeatable,
    ) -> Result<Answer<Campaign>, SendError> {
        let draft = match self.draft(tenant, id).await {
            Ok(draft) => draft,
            // It is no draft any more, perhaps because this very request was here before.
            Err(refused) => return self.sent_before(tenant, repeatable).await?.ok_or(refused),
        };
        // Asked before the transaction: no network call happens inside one.
        let sender = self.sender_of(tenant, &draft).await?;

        let tx = self.database.begin(tenant);
        let entry = match repeatable.enter(&tx, SEND).await? {
            Entry::Replay { status, body } => return Ok(Answer::Replayed { status, body }),
            entry => entry,
        };
        let mut campaign = store::lock(&tx, id).await?.ok_or(SendError::NotFound)?;
        if campaign.state != CampaignState::Draft {
            return Err(WrongState(campaign.state).into());
        }
        if campaign.version != draft.version {
            return Err(SendError::Changed);
        }
        let changed = if campaign.is_for_later(self.now()) {
            campaign.schedule()?
        } else {
            self.hand_to_planner(&tx, &mut campaign, sender).await?
        };
        store::save(&tx, &mut campaign, self.now()).await?;
        store::trace(&tx, id, work::traceparent()).await?;
        outbox::append(&tx, &self.clock, &changed).await?;
        audit::campaign(&tx, &self.clock, &audit::CAMPAIGN_SENT, &campaign).await?;
        tx.signal_on_commit(work::CAMPAIGNS);
        let campaign = Campaign::from(campaign);
        entry.leave(&tx, 202, &campaign).await?;
        tx.commit().await?;
        Ok(Answer::New(campaign))
    }

    async fn draft(&self, tenant: TenantId, id: CampaignId) -> Result<StoredCampaign, SendError> {
        let found = store::get(&self.database, tenant, id).await?;
        let found = found.ok_or(SendError::NotFound)?;
        match found.state {
            CampaignState::Draft => Ok(found),
            state => Err(WrongState(state).into()),
        }
    }

    /// What was answered when this request came for the first time, if it did.
    async fn sent_before(
        &self,
        tenant: TenantId,
        repeatable: &Repeatable,
    ) -> Result<Option<Answer<Campaign>>, SendError> {
        if !repeatable.has_key() {
            return Ok(None);
        }
        // Not committed: a request that is new leaves no key here.
        let tx = self.database.begin(tenant);
        match repeatable.enter(&tx, SEND).await? {
            Entry::Replay { status, body } => Ok(Some(Answer::Replayed { status, body })),
            Entry::None | Entry::Fresh(_) => Ok(None),
        }
    }

    /// The sender that a campaign goes out from.
    pub(super) async fn sender_of(
        &self,
        tenant: TenantId,
        campaign: &StoredCampaign,
    ) -> Result<SenderId, SendError> {
        let found = self
            .notification
            .sender(tenant, campaign.channel, campaign.sender_id)
            .await;
        found.map_err(|error| match error.kind() {
            Kind::NotFound => SendError::NoSender,
            _ => SendError::Notification(error),
        })
    }

    /// Freezes the template and lets planning begin, with whoever is a recipient by now.
    pub(super) async fn hand_to_planner(
        &self,
        tx: &TenantTx,
        campaign: &mut StoredCampaign,
        sender: SenderId,
    ) -> Result<CampaignStateChanged, SendError> {
        if campaign.has_expired(self.now()) {
            return Err(SendError::Expired);
        }
        let template = templates::store::held(tx, campaign.template_id).await?;
        let template = template.ok_or(SendError::NoTemplate)?;
        if !campaign.class.admits(template.category) {
            return Err(SendError::Class);
        }
        if campaign.channel == Channel::Whatsapp
            && let Some(state) = template.refusal(sender)
        {
            return Err(SendError::Template(state));
        }
        let snapshot = crate::recipients::store::last(tx).await?;
        Ok(campaign.send(template.into(), sender, snapshot)?)
    }
}
