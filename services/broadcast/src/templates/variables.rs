//! What stands in a template's places.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::recipients::Recipient;

/// The longest value of one place.
const MOST_CHARACTERS: usize = 1024;

/// What stands in one place: `"name"`, `{"field": "name", "default": "there"}` or `{"literal": "20 %"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Variable {
    /// A field of the recipient: `name`, `phone`, `external_id`, `country`, `timezone`, `locale`, or `attrs.<name>`.
    Field(String),
    /// A field, with what stands there when the recipient has none.
    FieldOr {
        /// The field.
        field: String,
        /// What stands there otherwise.
        default: String,
    },
    /// The same for everybody.
    Literal {
        /// The text.
        literal: String,
    },
}

impl Variable {
    /// Why it is not acceptable, if it is not.
    pub fn problem(&self) -> Option<&'static str> {
        let (field, text) = match self {
            Self::Field(field) => (Some(field), None),
            Self::FieldOr { field, default } => (Some(field), Some(default)),
            Self::Literal { literal } => (None, Some(literal)),
        };
        let text_fits = |text: &String| {
            !text.trim().is_empty()
                && text.chars().count() <= MOST_CHARACTERS
                && !text.chars().any(char::is_control)
        };
        if field.is_some_and(|field| !is_field(field)) {
            Some("a field of recipients: name, phone, external_id, country, timezone, locale or attrs.<name>")
        } else if text.is_some_and(|text| !text_fits(text)) {
            Some("1 to 1,024 characters, no control characters")
        } else {
            None
        }
    }

    /// The value for this recipient; none if the recipient has none.
    pub fn value(&self, recipient: &Recipient) -> Option<String> {
        let value = match self {
            Self::Field(field) => field_of(recipient, field),
            Self::FieldOr { field, default } => field_of(recipient, field).or(Some(default.as_str())),
            Self::Literal { literal } => Some(literal.as_str()),
        };
        value.map(sendable).filter(|value| !value.is_empty())
    }
}

fn is_field(field: &str) -> bool {
    match field.strip_prefix("attrs.") {
        Some(name) => {
            !name.trim().is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control)
        }
        None => matches!(
            field,
            "name" | "phone" | "external_id" | "country" | "timezone" | "locale"
        ),
    }
}

fn field_of<'a>(recipient: &'a Recipient, field: &str) -> Option<&'a str> {
    let value = match field {
        "name" => recipient.name.as_deref(),
        "phone" => recipient.phone.as_deref(),
        "external_id" => recipient.external_id.as_deref(),
        "country" => recipient.country.as_deref(),
        "timezone" => recipient.timezone.as_deref(),
        "locale" => recipient.locale.as_deref(),
        _ => recipient.attrs.get(field.strip_prefix("attrs.")?)?.as_str(),
    };
    value.filter(|value| !value.trim().is_empty())
}

/// A value as the provider takes one: a single line without runs of blanks. Whatever else it holds (braces, formulas)
/// is text and stays.
pub(super) fn sendable(value: &str) -> String {
    let visible = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_CHARACTERS).collect()
}

/// How many places a body has: `{{1}}` to `{{n}}`, every one of them, none else.
pub fn places(body: &str) -> Result<usize, &'static str> {
    let mut found = std::collections::BTreeSet::new();
    let mut rest = body;
    while let Some(start) = rest.find("{{") {
        let after = &rest[start + 2..];
        let end = after.find("}}").ok_or("`{{` without `}}`")?;
        let number: usize = after[..end]
            .trim()
            .parse()
            .map_err(|_| "places are `{{1}}`, `{{2}}`, …")?;
        if number == 0 || number > 100 {
            return Err("places are `{{1}}` to `{{100}}`");
        }
        found.insert(number);
        rest = &after[end + 2..];
    }
    let consecutive = found.iter().copied().eq(1..=found.len());
    if consecutive {
        Ok(found.len())
    } else {
        Err("places are numbered from `{{1}}` without a gap")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_have_no_gap() {
        assert_eq!(places("Hello"), Ok(0));
        assert_eq!(places("Hello {{1}}, {{2}} and again {{1}}"), Ok(2));
        for broken in [
            "{{2}}",
            "{{1}} {{3}}",
            "{{0}}",
            "{{name}}",
            "{{1",
            "{{}}",
            "{{-1}}",
            "{{101}}",
        ] {
            assert!(places(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_value_is_one_line_of_plain_text() {
        assert_eq!(sendable("Kara\nBeck\t\u{0} II    {{2}}"), "Kara Beck II {{2}}");
        assert_eq!(sendable("=HYPERLINK(\"x\")"), "=HYPERLINK(\"x\")");
        assert_eq!(sendable(&"x".repeat(5_000)).len(), MOST_CHARACTERS);
    }

    #[test]
    fn the_three_forms_are_read() {
        let read = |text: &str| serde_json::from_str::<Variable>(text).unwrap();
        assert_eq!(read(r#""name""#), Variable::Field("name".to_owned()));
        assert!(matches!(
            read(r#"{"field":"attrs.city","default":"town"}"#),
            Variable::FieldOr { .. }
        ));
        assert!(matches!(read(r#"{"literal":"20 %"}"#), Variable::Literal { .. }));
        assert!(read(r#""password""#).problem().is_some());
        assert!(read(r#""attrs.""#).problem().is_some());
        assert!(read(r#""attrs.city""#).problem().is_none());
    }
}
