//! Making a draft.

use std::collections::BTreeMap;

use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::{DatabaseError, kind};
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use postgres_types::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Audience, Campaign, CampaignState, Class, StoredCampaign, store};
use crate::invalid::Invalid;
use crate::recipients::country::Country;
use crate::{Broadcast, TemplateId};

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
    /// Who is considered; everybody who said yes unless told.
    #[serde(default)]
    pub audience: Audience,
    /// What it is for; marketing unless told.
    #[serde(default)]
    pub class: Option<Class>,
}

/// Why a campaign was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateCampaignError {
    /// Values are not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such template.
    #[error("there is no such template")]
    NoTemplate,
    /// There is no such import.
    #[error("there is no such import")]
    NoImport,
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CreateCampaignError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(invalid) => invalid.kind(),
            Self::NoTemplate | Self::NoImport => Kind::NotFound,
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(invalid) => invalid.code(),
            Self::NoTemplate => "TEMPLATE_NOT_FOUND",
            Self::NoImport => "IMPORT_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(invalid) => invalid.fields(),
            Self::NoTemplate | Self::NoImport | Self::Database(_) => Vec::new(),
        }
    }
}

impl Broadcast {
    /// Makes a draft. Whether the sender exists is asked when it is sent: until then it may be made or removed.
    pub async fn create_campaign(
        &self,
        tenant: TenantId,
        new: NewCampaign,
    ) -> Result<Campaign, CreateCampaignError> {
        let class = new.class.unwrap_or(Class::Marketing);
        let (name, audience) = checked(&new, class)?;
        let template = crate::templates::store::get(&self.database, tenant, new.template_id).await?;
        let template = template.ok_or(CreateCampaignError::NoTemplate)?;
        if !class.admits(template.category) {
            return Err(Invalid::one(
                "/class",
                "CLASS_MISMATCH",
                "a marketing template needs class marketing",
            )
            .into());
        }
        if let Some(import) = audience.import_id {
            self.import(tenant, import)
                .await?
                .ok_or(CreateCampaignError::NoImport)?;
        }
        let now = self.now();
        let draft = StoredCampaign {
            id: CampaignId::generate(&self.clock),
            name,
            template_id: template.id,
            sender_id: new.sender_id,
            class,
            audience: Json(audience),
            state: CampaignState::Draft,
            planned: Json(BTreeMap::new()),
            frozen: None,
            snapshot: None,
            cursor: None,
            shards: 0,
            created_at: now,
            updated_at: now,
        };
        let tx = self.database.begin(tenant);
        store::insert(&tx, &draft).await?;
        tx.commit().await?;
        Ok(draft.into())
    }
}

fn checked(new: &NewCampaign, class: Class) -> Result<(String, Audience), Invalid> {
    let mut invalid = Invalid::default();
    let name = invalid.text("/name", &new.name, 200);
    let mut audience = new.audience.clone();
    if class == Class::Marketing && !audience.opted_in {
        invalid.add(
            "/audience/opted_in",
            "CONSENT_REQUIRED",
            "marketing goes only to people who said yes",
        );
    }
    if let Some(text) = new.audience.country.as_deref() {
        audience.country = Country::read(text).map(Country::code);
        if audience.country.is_none() {
            invalid.add(
                "/audience/country",
                "INVALID_COUNTRY",
                "an ISO 3166-1 alpha-2 code",
            );
        }
    }
    invalid.check().map(|()| (name, audience))
}
