//! Previews of campaigns, and estimates of what is no campaign yet.

use plaza_contracts::ids::CampaignId;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::forecast::{Forecast, ForecastError, Question};
use super::terms::{TermsError, audience};
use super::{Audience, Channel, Class, WrongState, store};
use crate::invalid::Invalid;
use crate::templates::Frozen;
use crate::{Broadcast, TemplateId, templates};

/// What is estimated.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Estimate {
    /// The template.
    pub template_id: TemplateId,
    /// What its messages travel on; WhatsApp unless told.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// What it is for; marketing unless told.
    #[serde(default)]
    pub class: Option<Class>,
    /// Who is considered; everybody who said yes unless told.
    #[serde(default)]
    pub audience: Audience,
}

/// Why nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PreviewError {
    #[error("there is no such campaign")]
    NotFound,
    #[error(transparent)]
    State(#[from] WrongState),
    #[error(transparent)]
    Terms(#[from] TermsError),
    #[error(transparent)]
    Forecast(#[from] ForecastError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl From<Invalid> for PreviewError {
    fn from(invalid: Invalid) -> Self {
        Self::Terms(invalid.into())
    }
}

impl Failure for PreviewError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::State(_) => Kind::Conflict,
            Self::Terms(error) => error.kind(),
            Self::Forecast(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::State(_) => "CAMPAIGN_STATE",
            Self::Terms(error) => error.code(),
            Self::Forecast(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Terms(error) => error.fields(),
            Self::NotFound | Self::State(_) | Self::Forecast(_) | Self::Database(_) => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Terms(error) => error.retry_after(),
            Self::Forecast(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            Self::NotFound | Self::State(_) => None,
        }
    }
}

impl Broadcast {
    /// What would become of a campaign if it were sent now.
    pub(crate) async fn preview_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Forecast, PreviewError> {
        let campaign = store::get(&self.database, tenant, id).await?;
        let campaign = campaign.ok_or(PreviewError::NotFound)?;
        campaign.may_change()?;
        let template = templates::store::get(&self.database, tenant, campaign.template_id).await?;
        let template = Frozen::from(template.ok_or(TermsError::NoTemplate)?);
        let question = Question {
            channel: campaign.channel,
            class: campaign.class,
            audience: &campaign.audience.0,
            template: &template,
        };
        Ok(self.forecast(tenant, &question).await?)
    }

    /// The same for what is no campaign yet.
    pub(crate) async fn estimate(
        &self,
        tenant: TenantId,
        estimate: Estimate,
    ) -> Result<Forecast, PreviewError> {
        let class = estimate.class.unwrap_or(Class::Marketing);
        let mut invalid = Invalid::default();
        let audience = audience(estimate.audience, class, &mut invalid);
        let template = templates::store::get(&self.database, tenant, estimate.template_id).await?;
        let template = template.ok_or(TermsError::NoTemplate)?;
        if !class.admits(template.category) {
            invalid.add(
                "/class",
                "CLASS_MISMATCH",
                "a marketing template needs class marketing",
            );
        }
        invalid.check()?;
        if let Some(import) = audience.import_id {
            self.import(tenant, import).await?.ok_or(TermsError::NoImport)?;
        }
        let question = Question {
            channel: estimate.channel.unwrap_or_default(),
            class,
            audience: &audience,
            template: &template.into(),
        };
        Ok(self.forecast(tenant, &question).await?)
    }
}
