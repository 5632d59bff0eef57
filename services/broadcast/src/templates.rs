//! Templates: what a message says, with places for what differs from person to person.

pub mod change;
pub mod create;
pub(crate) mod http;
pub mod preview;
pub(crate) mod remove;
pub(crate) mod states;
pub(crate) mod store;
mod text;
pub mod variables;

use chrono::{DateTime, Utc};
use plaza_kernel::{Failure, Kind};
use postgres_types::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::TemplateId;
use crate::text_enum::text_enum;
use states::ProviderState;
use variables::Variable;

text_enum! {
    /// What the provider takes a template for.
    pub enum Category {
        /// Advertising: only to people who said yes.
        Marketing = "MARKETING",
        /// About something the person ordered or asked.
        Utility = "UTILITY",
        /// One-time codes.
        Authentication = "AUTHENTICATION",
    }
}

plaza_database::row! {
    /// A template as it is stored.
    #[derive(Debug, Clone)]
    pub(crate) struct StoredTemplate {
        pub(crate) id: TemplateId,
        pub(crate) name: String,
        pub(crate) language: String,
        pub(crate) category: Category,
        pub(crate) body: String,
        pub(crate) variables: Json<Vec<Variable>>,
        /// What the provider says of it, by account.
        pub(crate) states: Json<Vec<ProviderState>>,
        /// Rises with every change.
        pub(crate) version: i64,
        pub(crate) created_at: DateTime<Utc>,
        pub(crate) updated_at: DateTime<Utc>,
    }
}

/// A template.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Template {
    /// The id.
    pub id: TemplateId,
    /// The name under which the provider knows it.
    pub name: String,
    /// `en_US`.
    pub language: String,
    /// What the provider takes it for.
    pub category: Category,
    /// The text, with `{{1}}`, `{{2}}`, …
    pub body: String,
    /// What stands in `{{1}}`, `{{2}}`, …
    pub variables: Vec<Variable>,
    /// What the provider says of it, for each account that it spoke of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<ProviderState>,
    /// Rises with every change; `ETag` is `"v<version>"`.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it changed.
    pub updated_at: DateTime<Utc>,
}

impl From<StoredTemplate> for Template {
    fn from(stored: StoredTemplate) -> Self {
        Self {
            id: stored.id,
            name: stored.name,
            language: stored.language,
            category: stored.category,
            body: stored.body,
            variables: stored.variables.0,
            states: stored.states.0,
            version: stored.version,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// There is no such template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such template")]
pub(crate) struct NoTemplate;

impl Failure for NoTemplate {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        "TEMPLATE_NOT_FOUND"
    }
}

/// A template as it was when a campaign began to send: later changes do not reach messages that are planned already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The provider's name of it.
    pub name: String,
    /// `en_US`.
    pub language: String,
    /// The text; absent where it was frozen before texts were kept.
    #[serde(default)]
    pub body: Option<String>,
    /// What stands in its places.
    pub variables: Vec<Variable>,
}

impl Frozen {
    /// What it says with these values.
    pub(crate) fn text(&self, values: &[String]) -> String {
        text::render(self.body.as_deref().unwrap_or_default(), values)
    }
}

impl From<StoredTemplate> for Frozen {
    fn from(stored: StoredTemplate) -> Self {
        Self {
            name: stored.name,
            language: stored.language,
            body: Some(stored.body),
            variables: stored.variables.0,
        }
    }
}
