//! What a campaign is to be, before it is sent: checked alike when it is made and when it is changed.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx, kind};
use plaza_kernel::{Failure, FieldError, Kind};

use super::{Audience, Channel, Class, StoredCampaign, store};
use crate::invalid::Invalid;
use crate::recipients::country::Country;
use crate::templates::StoredTemplate;
use crate::{TemplateId, templates};

/// What a campaign is to be.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) name: String,
    pub(crate) template_id: TemplateId,
    pub(crate) sender_id: Option<SenderId>,
    pub(crate) channel: Channel,
    pub(crate) class: Class,
    pub(crate) audience: Audience,
    pub(crate) schedule_at: Option<DateTime<Utc>>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Why a campaign cannot be so.
#[derive(Debug, thiserror::Error)]
pub enum TermsError {
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

impl Failure for TermsError {
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

impl Terms {
    /// With its texts in their one form. Times have to be still to come, unless they were there before.
    ///
    /// # Errors
    /// All values that are not acceptable.
    pub(crate) fn checked(mut self, now: DateTime<Utc>, before: Option<&Self>) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        self.name = invalid.text("/name", &self.name, 200);
        self.audience = audience(self.audience, self.class, &mut invalid);
        let before = before.map(|before| (before.schedule_at, before.expires_at));
        if before != Some((self.schedule_at, self.expires_at)) {
            self.check_times(now, &mut invalid);
        }
        invalid.check().map(|()| self)
    }

    fn check_times(&self, now: DateTime<Utc>, invalid: &mut Invalid) {
        if self.schedule_at.is_some_and(|at| at <= now) {
            invalid.add("/schedule_at", "IN_THE_PAST", "a time that is still to come");
        }
        let begin = self.schedule_at.unwrap_or(now);
        if self.expires_at.is_some_and(|at| at <= begin) {
            invalid.add("/expires_at", "BEFORE_ITS_BEGIN", "later than it begins");
        }
    }

    /// The template, held until the transaction ends, if all that is named is there and fits.
    pub(crate) async fn hold(&self, tx: &TenantTx) -> Result<StoredTemplate, TermsError> {
        let template = templates::store::held(tx, self.template_id).await?;
        let template = template.ok_or(TermsError::NoTemplate)?;
        if !self.class.admits(template.category) {
            let detail = "a marketing template needs class marketing";
            return Err(Invalid::one("/class", "CLASS_MISMATCH", detail).into());
        }
        if let Some(import) = self.audience.import_id
            && !store::knows_import(tx, import).await?
        {
            return Err(TermsError::NoImport);
        }
        Ok(template)
    }

    /// What a campaign is now.
    pub(crate) fn of(campaign: &StoredCampaign) -> Self {
        Self {
            name: campaign.name.clone(),
            template_id: campaign.template_id,
            sender_id: campaign.sender_id,
            channel: campaign.channel,
            class: campaign.class,
            audience: campaign.audience.0.clone(),
            schedule_at: campaign.schedule_at,
            expires_at: campaign.expires_at,
        }
    }
}

/// Consent is asked for where it is needed, and a country has one name. Estimates ask for the same.
pub(crate) fn audience(mut audience: Audience, class: Class, invalid: &mut Invalid) -> Audience {
    if class == Class::Marketing && !audience.opted_in {
        invalid.add(
            "/audience/opted_in",
            "CONSENT_REQUIRED",
            "marketing goes only to people who said yes",
        );
    }
    if let Some(text) = audience.country.as_deref() {
        let country = Country::read(text).map(Country::code);
        if country.is_none() {
            let detail = "an ISO 3166-1 alpha-2 code";
            invalid.add("/audience/country", "INVALID_COUNTRY", detail);
        }
        audience.country = country;
    }
    audience
}
