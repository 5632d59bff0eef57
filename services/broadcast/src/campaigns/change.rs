//! Changing a campaign that was not sent yet.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use plaza_messaging::outbox;
use plaza_web::Version;
use postgres_types::Json;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::terms::{Terms, TermsError};
use super::{Audience, Campaign, CampaignState, Channel, Class, StoredCampaign, WrongState, store};
use crate::invalid::Invalid;
use crate::{Broadcast, TemplateId, audit};

/// What is to be different; what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CampaignChange {
    /// The name.
    pub name: Option<String>,
    /// The template.
    pub template_id: Option<TemplateId>,
    /// The sender it goes out from; `null` for the tenant's default.
    #[serde(deserialize_with = "told")]
    #[schema(value_type = Option<SenderId>)]
    pub sender_id: Option<Option<SenderId>>,
    /// What its messages travel on.
    pub channel: Option<Channel>,
    /// Who is considered.
    pub audience: Option<Audience>,
    /// What it is for.
    pub class: Option<Class>,
    /// When it begins by itself; `null` for at once when it is sent. One that was scheduled is a draft again then.
    #[serde(deserialize_with = "told")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub schedule_at: Option<Option<DateTime<Utc>>>,
    /// What has not left by then never does; `null` for no such time.
    #[serde(deserialize_with = "told")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

/// A field that is there, though it may be `null`.
fn told<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Why a campaign was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeCampaignError {
    /// There is none of this id.
    #[error("there is no such campaign")]
    NotFound,
    /// It is not in the version that is to be changed.
    #[error("it was changed meanwhile; read it again")]
    Version,
    /// It was sent.
    #[error(transparent)]
    State(#[from] WrongState),
    /// It cannot be so.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl From<Invalid> for ChangeCampaignError {
    fn from(invalid: Invalid) -> Self {
        Self::Terms(invalid.into())
    }
}

impl Failure for ChangeCampaignError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Version => Kind::PreconditionFailed,
            Self::State(_) => Kind::Conflict,
            Self::Terms(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::Version => "VERSION_MISMATCH",
            Self::State(_) => "CAMPAIGN_STATE",
            Self::Terms(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Terms(error) => error.fields(),
            Self::NotFound | Self::Version | Self::State(_) | Self::Database(_) => Vec::new(),
        }
    }
}

impl Broadcast {
    /// Changes a draft, or one that waits for its time.
    pub async fn change_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
        version: Version,
        change: CampaignChange,
    ) -> Result<Campaign, ChangeCampaignError> {
        let now = self.now();
        let tx = self.database.begin(tenant);
        let mut campaign = store::lock(&tx, id).await?.ok_or(ChangeCampaignError::NotFound)?;
        if version != Version(campaign.version) {
            return Err(ChangeCampaignError::Version);
        }
        campaign.may_change()?;
        let before = Terms::of(&campaign);
        let terms = change.over(before.clone()).checked(now, Some(&before))?;
        terms.hold(&tx).await?;
        campaign.accept(terms);
        if campaign.state == CampaignState::Scheduled && campaign.schedule_at.is_none() {
            let changed = campaign.unschedule(None)?;
            outbox::append(&tx, &self.clock, &changed).await?;
        }
        // First its state: what waits for its time has one.
        store::save(&tx, &mut campaign, now).await?;
        store::change(&tx, &campaign).await?;
        audit::campaign(&tx, &self.clock, &audit::CAMPAIGN_UPDATED, &campaign).await?;
        tx.commit().await?;
        Ok(campaign.into())
    }
}

impl CampaignChange {
    fn over(self, terms: Terms) -> Terms {
        Terms {
            name: self.name.unwrap_or(terms.name),
            template_id: self.template_id.unwrap_or(terms.template_id),
            sender_id: self.sender_id.unwrap_or(terms.sender_id),
            channel: self.channel.unwrap_or(terms.channel),
            class: self.class.unwrap_or(terms.class),
            audience: self.audience.unwrap_or(terms.audience),
            schedule_at: self.schedule_at.unwrap_or(terms.schedule_at),
            expires_at: self.expires_at.unwrap_or(terms.expires_at),
        }
    }
}

impl StoredCampaign {
    fn accept(&mut self, terms: Terms) {
        self.name = terms.name;
        self.template_id = terms.template_id;
        self.sender_id = terms.sender_id;
        self.channel = terms.channel;
        self.class = terms.class;
        self.audience = Json(terms.audience);
        self.schedule_at = terms.schedule_at;
        self.expires_at = terms.expires_at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_null() {
        let read = |text: &str| serde_json::from_str::<CampaignChange>(text).unwrap();
        assert_eq!(read("{}").schedule_at, None);
        assert_eq!(read(r#"{"schedule_at":null}"#).schedule_at, Some(None));
        let at = read(r#"{"schedule_at":"2027-01-15T08:00:00Z"}"#).schedule_at;
        assert!(matches!(at, Some(Some(_))));
    }
}
