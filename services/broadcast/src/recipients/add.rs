//! Adding one recipient by hand.

use std::collections::BTreeMap;

use plaza_contracts::zones::is_zone;
use plaza_database::{DatabaseError, kind, violated};
use plaza_kernel::{Answer, Failure, FieldError, Kind, TenantId};
use plaza_once::{Entry, OnceError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::consent::Consent;
use super::country::Country;
use super::phone::{self, Cell};
use super::{Recipient, store};
use crate::invalid::Invalid;
use crate::repeatable::Repeatable;
use crate::{Broadcast, RecipientId, audit};

/// Somebody to be added: by a number, or by the tenant's own id alone.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewRecipient {
    /// The number, in E.164 or as it is dialled in `country`.
    pub phone: Option<String>,
    /// ISO 3166-1 alpha-2, or the country's name.
    pub country: Option<String>,
    /// The tenant's own id.
    pub external_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// `Europe/Berlin`.
    pub timezone: Option<String>,
    /// `de` or `de_DE`.
    pub locale: Option<String>,
    /// Everything else.
    pub attrs: BTreeMap<String, String>,
    /// Whether the person wants to be written to; absent when nobody knows.
    pub opted_in: Option<bool>,
}

/// Why a recipient was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// Values are not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The number is known already.
    #[error("a recipient with this number exists")]
    Exists,
    /// It cannot be repeated like this.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for AddError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(invalid) => invalid.kind(),
            Self::Exists => Kind::Conflict,
            Self::Once(error) => error.kind(),
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(invalid) => invalid.code(),
            Self::Exists => "RECIPIENT_EXISTS",
            Self::Once(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(invalid) => invalid.fields(),
            Self::Exists | Self::Once(_) | Self::Database(_) => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Once(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            Self::Invalid(_) | Self::Exists => None,
        }
    }
}

impl Broadcast {
    /// Adds a recipient.
    pub async fn add_recipient(
        &self,
        tenant: TenantId,
        new: &NewRecipient,
        repeatable: &Repeatable,
    ) -> Result<Answer<Recipient>, AddError> {
        let recipient = self.checked(new)?;
        let tx = self.database.begin(tenant);
        let entry = match repeatable.enter(&tx, "add_recipient").await? {
            Entry::Replay { status, body } => return Ok(Answer::Replayed { status, body }),
            entry => entry,
        };
        store::insert(&tx, &recipient)
            .await
            .map_err(|error| match violated(&error) {
                Some("recipients_phone_key") => AddError::Exists,
                _ => error.into(),
            })?;
        plaza_audit::done(&tx, &self.clock, &audit::RECIPIENT_ADDED, recipient.id).await?;
        entry.leave(&tx, 201, &recipient).await?;
        tx.commit().await?;
        Ok(Answer::New(recipient))
    }

    fn checked(&self, new: &NewRecipient) -> Result<Recipient, Invalid> {
        let mut invalid = Invalid::default();
        let country = new
            .country
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let read = country.and_then(Country::read);
        if country.is_some() && read.is_none() {
            invalid.add("/country", "INVALID_COUNTRY", "an ISO 3166-1 alpha-2 code");
        }
        let phone = match phone::read(new.phone.as_deref().unwrap_or_default(), read) {
            Cell::Valid(phone) => Some(phone),
            Cell::Missing => None,
            Cell::Damaged | Cell::Invalid => {
                invalid.add("/phone", "INVALID_PHONE", "no telephone number that exists");
                None
            }
        };
        let external_id = invalid.optional_text("/external_id", new.external_id.as_deref(), 200);
        if new.phone.as_deref().is_none_or(|text| text.trim().is_empty()) && external_id.is_none() {
            invalid.add("/phone", "MISSING_PHONE", "a number, or at least an external_id");
        }
        let now = self.now();
        let recipient = Recipient {
            id: RecipientId::generate(&self.clock),
            country: read
                .or(phone.as_ref().and_then(phone::Phone::country))
                .map(Country::code),
            phone: phone.map(phone::Phone::into_string),
            external_id,
            name: invalid.optional_text("/name", new.name.as_deref(), 200),
            timezone: zone(&mut invalid, new.timezone.as_deref()),
            locale: invalid.optional_text("/locale", new.locale.as_deref(), 64),
            attrs: serde_json::json!(invalid.attributes("/attrs", &new.attrs)),
            consent: Consent::from(new.opted_in),
            consent_source: new.opted_in.map(|_| "api".to_owned()),
            import_id: None,
            created_at: now,
            updated_at: now,
        };
        invalid.check().map(|()| recipient)
    }
}

/// Messages carry it: what cannot be one would be refused there.
fn zone(invalid: &mut Invalid, text: Option<&str>) -> Option<String> {
    let zone = invalid.optional_text("/timezone", text, 64)?;
    if !is_zone(&zone) {
        invalid.add("/timezone", "INVALID_TIMEZONE", "a name such as Europe/Berlin");
    }
    Some(zone)
}
