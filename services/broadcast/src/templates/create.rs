//! Making a template.

use plaza_database::{DatabaseError, kind, violated};
use plaza_kernel::{Answer, Failure, FieldError, Kind, TenantId};
use plaza_once::{Entry, OnceError};
use postgres_types::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::variables::{Variable, places};
use super::{Category, StoredTemplate, Template, store};
use crate::invalid::Invalid;
use crate::repeatable::Repeatable;
use crate::{Broadcast, TemplateId, audit};

/// A template to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTemplate {
    /// The name under which the provider knows it: 1 to 512 of `a-z`, `0-9` and `_`.
    pub name: String,
    /// `en`, `en_US`.
    pub language: String,
    /// What the provider takes it for.
    pub category: Category,
    /// The text, with `{{1}}`, `{{2}}`, …
    pub body: String,
    /// What stands in `{{1}}`, `{{2}}`, …
    #[serde(default)]
    pub variables: Vec<Variable>,
}

/// Why a template was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTemplateError {
    /// Values are not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is one of this name and language.
    #[error("a template of this name and language exists")]
    Exists,
    /// The request cannot be repeated like this.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CreateTemplateError {
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
            Self::Exists => "TEMPLATE_EXISTS",
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
    /// Makes a template.
    pub async fn create_template(
        &self,
        tenant: TenantId,
        new: NewTemplate,
        repeatable: &Repeatable,
    ) -> Result<Answer<Template>, CreateTemplateError> {
        check(&new)?;
        let now = self.now();
        let template = StoredTemplate {
            id: TemplateId::generate(&self.clock),
            name: new.name,
            language: new.language,
            category: new.category,
            body: new.body,
            variables: Json(new.variables),
            states: Json(Vec::new()),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let tx = self.database.begin(tenant);
        let entry = match repeatable.enter(&tx, "create_template").await? {
            Entry::Replay { status, body } => return Ok(Answer::Replayed { status, body }),
            entry => entry,
        };
        store::insert(&tx, &template)
            .await
            .map_err(|error| match violated(&error) {
                Some("templates_name_key") => CreateTemplateError::Exists,
                _ => error.into(),
            })?;
        // The provider may have spoken of it before.
        let template = store::held(&tx, template.id)
            .await?
            .ok_or(DatabaseError::MissingRow)?;
        plaza_audit::done(&tx, &self.clock, &audit::TEMPLATE_CREATED, template.id).await?;
        let template = Template::from(template);
        entry.leave(&tx, 201, &template).await?;
        tx.commit().await?;
        Ok(Answer::New(template))
    }
}

/// Whether the provider would take it.
pub(super) fn check(new: &NewTemplate) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if new.name.is_empty() || new.name.len() > 512 || !new.name.bytes().all(in_name) {
        invalid.add("/name", "INVALID_NAME", "1 to 512 of a-z, 0-9 and _");
    }
    if !is_language(&new.language) {
        invalid.add("/language", "INVALID_LANGUAGE", "a language such as en or en_US");
    }
    if new.body.trim().is_empty() || new.body.chars().count() > 1024 {
        invalid.add("/body", "INVALID_LENGTH", "1 to 1,024 characters");
    }
    if new.body.chars().any(|c| c.is_control() && c != '\n') {
        invalid.add(
            "/body",
            "INVALID_CHARACTER",
            "no control characters but line breaks",
        );
    }
    match places(&new.body) {
        Err(problem) => invalid.add("/body", "INVALID_PLACES", problem),
        Ok(places) if places != new.variables.len() => {
            invalid.add(
                "/variables",
                "VARIABLES_MISMATCH",
                format!("the body has {places} places"),
            );
        }
        Ok(_) => {}
    }
    for (at, variable) in new.variables.iter().enumerate() {
        if let Some(problem) = variable.problem() {
            invalid.add(format!("/variables/{at}"), "INVALID_VARIABLE", problem);
        }
    }
    invalid.check()
}

fn is_language(text: &str) -> bool {
    let (language, country) = text
        .split_once('_')
        .map_or((text, None), |(language, rest)| (language, Some(rest)));
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && country
            .is_none_or(|country| country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()))
}
