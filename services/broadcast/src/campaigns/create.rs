//! Making a draft.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::DatabaseError;
use plaza_kernel::{Answer, Failure, FieldError, Kind, TenantId};
use plaza_once::{Entry, OnceError};
use postgres_types::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::terms::{Terms, TermsError};
use super::{Audience, Campaign, CampaignState, Channel, Class, StoredCampaign, store};
use crate::invalid::Invalid;
use crate::repeatable::Repeatable;
use crate::{Broadcast, TemplateId, audit};

/// A campaign to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    /// The name.
    pub name: String,
    /// The template.
    pub template_id: TemplateId,
    /// The sender it goes out from; the tenant's default unless told.
    #[serde(default)]
    pub sender_id: Option<SenderId>,
    /// What its messages travel on; WhatsApp unless told.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Who is considered; everybody who said yes unless told.
    #[serde(default)]
    pub audience: Audience,
    /// What it is for; marketing unless told.
    #[serde(default)]
    pub class: Option<Class>,
    /// When it begins by itself, once it is sent; at once unless told.
    #[serde(default)]
    pub schedule_at: Option<DateTime<Utc>>,
    /// What has not left by then never does.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a campaign was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateCampaignError {
    /// It cannot be so.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// It cannot be repeated like this.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl From<Invalid> for CreateCampaignError {
    fn from(invalid: Invalid) -> Self {
        Self::Terms(invalid.into())
    }
}

impl Failure for CreateCampaignError {
    fn kind(&self) -> Kind {
        match self {
            Self::Terms(error) => error.kind(),
            Self::Once(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Terms(error) => error.code(),
            Self::Once(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Terms(error) => error.fields(),
            Self::Once(_) | Self::Database(_) => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Terms(error) => error.retry_after(),
            Self::Once(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
        }
    }
}

impl Broadcast {
    /// Makes a draft. Whether the sender exists is asked when it is sent: until then it may be made or removed.
    pub async fn create_campaign(
        &self,
        tenant: TenantId,
        new: NewCampaign,
        repeatable: &Repeatable,
    ) -> Result<Answer<Campaign>, CreateCampaignError> {
        let now = self.now();
        let tx = self.database.begin(tenant);
        let entry = match repeatable.enter(&tx, "create_campaign").await? {
            Entry::Replay { status, body } => return Ok(Answer::Replayed { status, body }),
            entry => entry,
        };
        let terms = Terms::from(new).checked(now, None)?;
        terms.hold(&tx).await?;
        let draft = StoredCampaign::draft(CampaignId::generate(&self.clock), terms, now);
        store::insert(&tx, &draft).await?;
        audit::campaign(&tx, &self.clock, &audit::CAMPAIGN_CREATED, &draft).await?;
        let campaign = Campaign::from(draft);
        entry.leave(&tx, 201, &campaign).await?;
        tx.commit().await?;
        Ok(Answer::New(campaign))
    }
}

impl From<NewCampaign> for Terms {
    fn from(new: NewCampaign) -> Self {
        Self {
            name: new.name,
            template_id: new.template_id,
            sender_id: new.sender_id,
            channel: new.channel.unwrap_or_default(),
            class: new.class.unwrap_or(Class::Marketing),
            audience: new.audience,
            schedule_at: new.schedule_at,
            expires_at: new.expires_at,
        }
    }
}

impl StoredCampaign {
    fn draft(id: CampaignId, terms: Terms, now: DateTime<Utc>) -> Self {
        Self {
            id,
            name: terms.name,
            template_id: terms.template_id,
            sender_id: terms.sender_id,
            channel: terms.channel,
            class: terms.class,
            audience: Json(terms.audience),
            schedule_at: terms.schedule_at,
            expires_at: terms.expires_at,
            state: CampaignState::Draft,
            state_reason: None,
            resumes: None,
            moving: false,
            planned: Json(BTreeMap::new()),
            frozen: None,
            snapshot: None,
            cursor: None,
            shards: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}
