//! Recipients: whom a tenant may write to.

pub mod add;
pub(crate) mod attributes;
pub mod consent;
pub mod country;
pub(crate) mod http;
pub(crate) mod objections;
pub mod phone;
pub(crate) mod remove;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use plaza_kernel::{Failure, Kind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::listing::InvalidQuery;
use crate::{ImportId, RecipientId};
use consent::Consent;
use country::Country;
use phone::Cell;

plaza_database::row! {
    /// Somebody a tenant may write to.
    #[derive(Debug, Clone, Serialize, ToSchema)]
    pub struct Recipient {
        /// The id.
        pub id: RecipientId,
        /// The number in E.164.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub phone: Option<String>,
        /// The tenant's own id.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub external_id: Option<String>,
        /// The name.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// ISO 3166-1 alpha-2.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub country: Option<String>,
        /// `Europe/Berlin`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub timezone: Option<String>,
        /// `de` or `de_DE`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub locale: Option<String>,
        /// Everything else that is known, as texts.
        #[schema(value_type = std::collections::BTreeMap<String, String>)]
        pub attrs: serde_json::Value,
        /// What the person said to being written to.
        pub consent: Consent,
        /// Where that is known from: `api` or `import:<id>`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub consent_source: Option<String>,
        /// The import that wrote the recipient last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub import_id: Option<ImportId>,
        /// When the recipient was added.
        pub created_at: DateTime<Utc>,
        /// When anything about the recipient changed.
        pub updated_at: DateTime<Utc>,
    }
}

/// There is no such recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such recipient")]
pub(crate) struct NoRecipient;

impl Failure for NoRecipient {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "RECIPIENT_NOT_FOUND"
    }
}

/// The number that a list is narrowed to.
pub(crate) fn e164(text: &str) -> Result<String, InvalidQuery> {
    match phone::read(text, None::<Country>) {
        Cell::Valid(phone) => Ok(phone.into_string()),
        _ => Err(InvalidQuery::new("phone", "a telephone number in E.164")),
    }
}
