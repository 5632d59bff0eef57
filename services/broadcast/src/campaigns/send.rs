//! Sending a draft: from here on the planner has it.

use plaza_contracts::ids::CampaignId;
use plaza_database::{DatabaseError, kind};
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_messaging::outbox;
use plaza_rpc::RpcError;

use super::{Campaign, CampaignState, WrongState, store};
use crate::{Broadcast, work};

/// Why a campaign was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is none of this id.
    #[error("there is no such campaign")]
    NotFound,
    /// It is no draft.
    #[error(transparent)]
    State(#[from] WrongState),
    /// There is no sender that it could go out from.
    #[error("there is no sender that it could go out from")]
    NoSender,
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
            Self::State(_) | Self::NoSender => Kind::Conflict,
            Self::Notification(error) => error.kind(),
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::State(_) => "CAMPAIGN_STATE",
            Self::NoSender => "SENDER_NOT_FOUND",
            Self::Notification(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl Broadcast {
    /// Begins to send a draft. Of two at once one wins; the other learns that it is no draft any more.
    pub async fn send_campaign(&self, tenant: TenantId, id: CampaignId) -> Result<Campaign, SendError> {
        let draft = store::get(&self.database, tenant, id)
            .await?
            .ok_or(SendError::NotFound)?;
        if draft.state != CampaignState::Draft {
            return Err(WrongState(draft.state).into());
        }
        // Asked before the transaction: no network call happens inside one.
        let sender = self
            .notification
            .sender(tenant, draft.sender_id)
            .await
            .map_err(|error| {
                if error.kind() == Kind::NotFound {
                    SendError::NoSender
                } else {
                    SendError::Notification(error)
                }
            })?;

        let tx = self.database.begin(tenant);
        let mut campaign = store::lock(&tx, id).await?.ok_or(SendError::NotFound)?;
        let template = crate::templates::store::seen_by(&tx, campaign.template_id).await?;
        let template = template.ok_or(DatabaseError::MissingRow)?;
        let snapshot = crate::recipients::store::last(&tx).await?;
        let changed = campaign.send(template.into(), sender, snapshot)?;
        store::save(&tx, &campaign, self.now()).await?;
        store::trace(&tx, id, work::traceparent()).await?;
        outbox::append(&tx, &self.clock, &changed).await?;
        tx.signal_on_commit(work::CAMPAIGNS);
        tx.commit().await?;
        Ok(campaign.into())
    }
}
