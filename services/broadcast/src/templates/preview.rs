//! How a template reads, and what it costs as an SMS.

use plaza_contracts::sms;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::render;
use super::variables::{Variable, sendable};
use super::{NoTemplate, StoredTemplate, store};
use crate::invalid::Invalid;
use crate::{Broadcast, TemplateId};

/// The longest text that providers of SMS take.
pub(crate) const MOST_CHARACTERS: usize = 1_600;

/// With what a template is looked at.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Values {
    /// What stands in `{{1}}`, `{{2}}`, …; what is missing is the variable's own text or default.
    pub values: Vec<String>,
}

/// How a template reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TemplatePreview {
    /// The text; a place without a value stays as it is.
    pub text: String,
    /// What it is as an SMS.
    pub segments: SmsSegments,
    /// What whoever sends it should know.
    pub warnings: Vec<Warning>,
}

/// In how many parts a text goes out as an SMS, which is what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SmsSegments {
    /// `gsm7` or `ucs2`.
    pub encoding: String,
    /// Its length in septets or UTF-16 units.
    pub units: usize,
    /// How many parts.
    pub count: usize,
}

/// What whoever sends a template should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// `MISSING_VALUE`, `TOO_LONG`, `UNICODE`, `NOT_APPROVED`.
    pub code: String,
    /// For a person.
    pub detail: String,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewTemplateError {
    /// There is none of this id.
    #[error("there is no such template")]
    NotFound,
    /// Values are not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for PreviewTemplateError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => NoTemplate.kind(),
            Self::Invalid(invalid) => invalid.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => NoTemplate.code(),
            Self::Invalid(invalid) => invalid.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(invalid) => invalid.fields(),
            Self::NotFound | Self::Database(_) => Vec::new(),
        }
    }
}

impl Broadcast {
    /// How a template reads with these values.
    pub async fn preview_template(
        &self,
        tenant: TenantId,
        id: TemplateId,
        with: Values,
    ) -> Result<TemplatePreview, PreviewTemplateError> {
        let template = store::get(&self.database, tenant, id).await?;
        let template = template.ok_or(PreviewTemplateError::NotFound)?;
        check(&with, &template)?;
        Ok(preview(&template, with.values))
    }
}

fn check(with: &Values, template: &StoredTemplate) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    let places = template.variables.0.len();
    if with.values.len() > places {
        invalid.add("/values", "TOO_MANY", format!("the template has {places} places"));
    }
    for (at, value) in with.values.iter().enumerate().take(places) {
        if value.chars().count() > 1_024 {
            invalid.add(
                format!("/values/{at}"),
                "INVALID_LENGTH",
                "at most 1,024 characters",
            );
        }
    }
    invalid.check()
}

fn preview(template: &StoredTemplate, given: Vec<String>) -> TemplatePreview {
    let places = template.variables.0.iter().enumerate();
    let values: Vec<Option<String>> = places
        .map(|(at, variable)| {
            given
                .get(at)
                .map(|value| sendable(value))
                .or_else(|| usual(variable))
        })
        .map(|value| value.filter(|value| !value.is_empty()))
        .collect();
    let missing: Vec<usize> = (1..)
        .zip(&values)
        .filter(|(_, value)| value.is_none())
        .map(|(at, _)| at)
        .collect();
    let shown: Vec<String> = (1..)
        .zip(values)
        .map(|(at, value): (usize, _)| value.unwrap_or_else(|| format!("{{{{{at}}}}}")))
        .collect();
    let text = render(&template.body, &shown);
    let segments = sms::segments(&text);
    TemplatePreview {
        warnings: warnings(template, &missing, &text, segments.encoding),
        segments: SmsSegments {
            encoding: segments.encoding.as_str().to_owned(),
            units: segments.units,
            count: segments.count,
        },
        text,
    }
}

/// What stands in a place for whoever has nothing of their own.
fn usual(variable: &Variable) -> Option<String> {
    match variable {
        Variable::Field(_) => None,
        Variable::FieldOr { default, .. } => Some(default.clone()),
        Variable::Literal { literal } => Some(literal.clone()),
    }
}

fn warnings(
    template: &StoredTemplate,
    missing: &[usize],
    text: &str,
    encoding: sms::Encoding,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code: &str, detail: String| {
        let code = code.to_owned();
        warnings.push(Warning { code, detail });
    };
    for place in missing {
        warn(
            "MISSING_VALUE",
            format!("{{{{{place}}}}} has no value: recipients without one get no message"),
        );
    }
    if text.chars().count() > MOST_CHARACTERS {
        warn(
            "TOO_LONG",
            format!("an SMS has at most {MOST_CHARACTERS} characters"),
        );
    }
    if encoding == sms::Encoding::Ucs2 {
        let plain = sms::segments(&sms::in_alphabet(text)).count;
        warn(
            "UNICODE",
            format!("a character takes more room in an SMS; written plainly it would be {plain} parts"),
        );
    }
    for said in template.states.0.iter().filter(|said| said.is_refused()) {
        warn(
            "NOT_APPROVED",
            format!("the provider says {} for sender {}", said.state, said.sender_id),
        );
    }
    warnings
}
