//! Which column is what: asked for by the client, or recognised by its header in several languages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::headers::{normalised, synonyms};
use crate::invalid::Invalid;
use crate::recipients::country::Country;
use crate::text_enum::text_enum;

text_enum! {
    /// What a column may mean.
    pub enum Field {
        /// The number.
        Phone = "phone",
        /// The country that a number without country code belongs to.
        Country = "country",
        /// The person's name.
        Name = "name",
        /// The tenant's own id of the person.
        ExternalId = "external_id",
        /// Whether the person wants to be written to.
        OptedIn = "opted_in",
        /// The person's time zone, `Europe/Berlin`.
        Timezone = "timezone",
        /// The person's language, `de` or `de_DE`.
        Locale = "locale",
    }
}

const FIELDS: [Field; 7] = [
    Field::Phone,
    Field::Country,
    Field::Name,
    Field::ExternalId,
    Field::OptedIn,
    Field::Timezone,
    Field::Locale,
];

/// What a client says about its file: names of columns as they stand in the header. What is not said is recognised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImportMapping {
    /// The column of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The column of countries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The column of names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The column of the tenant's own ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The column of consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opted_in: Option<String>,
    /// The column of time zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The column of languages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The country of numbers whose row names none: `DE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_country: Option<String>,
    /// What separates columns: one of `,` `;` `|` and the tab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The encoding by its name on the web: `utf-8`, `windows-1252`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// What separates columns.
pub(crate) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

impl ImportMapping {
    /// Refuses what could never work, before the file is accepted.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut invalid = Invalid::default();
        for field in FIELDS {
            invalid.optional_text(&format!("/{field}"), self.column(field), 200);
        }
        if self.default_country.is_some() && self.default_country().is_none() {
            invalid.add(
                "/default_country",
                "INVALID_COUNTRY",
                "an ISO 3166-1 alpha-2 code",
            );
        }
        if self.delimiter.is_some() && self.delimiter().is_none() {
            invalid.add(
                "/delimiter",
                "INVALID_DELIMITER",
                "one of `,` `;` `|` and the tab",
            );
        }
        if self.encoding.is_some() && self.encoding().is_none() {
            invalid.add(
                "/encoding",
                "INVALID_ENCODING",
                "an encoding of the web, such as utf-8 or windows-1252",
            );
        }
        invalid.check()
    }

    /// The column that the client named.
    pub fn column(&self, field: Field) -> Option<&str> {
        match field {
            Field::Phone => self.phone.as_deref(),
            Field::Country => self.country.as_deref(),
            Field::Name => self.name.as_deref(),
            Field::ExternalId => self.external_id.as_deref(),
            Field::OptedIn => self.opted_in.as_deref(),
            Field::Timezone => self.timezone.as_deref(),
            Field::Locale => self.locale.as_deref(),
        }
    }

    /// The country of numbers whose row names none.
    pub fn default_country(&self) -> Option<Country> {
        self.default_country.as_deref().and_then(Country::read)
    }

    /// The delimiter that the client named.
    pub fn delimiter(&self) -> Option<u8> {
        let text = self.delimiter.as_deref()?;
        let byte = if text == "\\t" {
            b'\t'
        } else {
            *text.as_bytes().first().filter(|_| text.len() == 1)?
        };
        DELIMITERS.contains(&byte).then_some(byte)
    }

    /// The encoding that the client named.
    pub fn encoding(&self) -> Option<&'static encoding_rs::Encoding> {
        encoding_rs::Encoding::for_label_no_replacement(self.encoding.as_deref()?.as_bytes())
    }
}

/// The columns of a file that are read, by their place; all others but empty ones become attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Columns {
    fields: BTreeMap<Field, (usize, String)>,
    attributes: Vec<(usize, String)>,
}

/// The header does not say enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoColumn {
    /// No column looks like one of numbers.
    #[error("no column of telephone numbers was recognised; name it in `mapping.phone`")]
    Phone,
    /// The client named a column that is not there.
    #[error("there is no column `{0}`")]
    Named(String),
}

impl NoColumn {
    /// The stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Phone => "NO_PHONE_COLUMN",
            Self::Named(_) => "COLUMN_NOT_FOUND",
        }
    }
}

impl Columns {
    /// Finds the columns in a header.
    pub(crate) fn find(header: &[String], asked: &ImportMapping) -> Result<Self, NoColumn> {
        let normal: Vec<String> = header.iter().map(|name| normalised(name)).collect();
        let mut fields = BTreeMap::new();
        for field in FIELDS {
            if let Some(name) = asked.column(field).map(str::trim).filter(|name| !name.is_empty()) {
                let at = named(header, &normal, name).ok_or_else(|| NoColumn::Named(name.to_owned()))?;
                fields.insert(field, (at, header[at].trim().to_owned()));
            }
        }
        for field in FIELDS {
            let taken = |at: usize| fields.values().any(|(taken, _)| *taken == at);
            if !fields.contains_key(&field)
                && let Some(at) = recognised(&normal, field, taken)
            {
                fields.insert(field, (at, header[at].trim().to_owned()));
            }
        }
        if !fields.contains_key(&Field::Phone) {
            return Err(NoColumn::Phone);
        }
        Ok(Self {
            attributes: attributes(header, &fields),
            fields,
        })
    }

    /// The cell of a field in a row.
    pub(crate) fn cell<'a>(&self, row: &'a [String], field: Field) -> Option<&'a str> {
        let (at, _) = self.fields.get(&field)?;
        row.get(*at).map(String::as_str)
    }

    /// The cells of further columns, by their header.
    pub(crate) fn attributes<'a>(&'a self, row: &'a [String]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.attributes
            .iter()
            .filter_map(|(at, name)| Some((name.as_str(), row.get(*at)?.as_str())))
    }

    /// The header of each field, as the client may see it.
    pub(crate) fn names(&self) -> BTreeMap<Field, String> {
        self.fields
            .iter()
            .map(|(field, (_, name))| (*field, name.clone()))
            .collect()
    }
}

fn named(header: &[String], normal: &[String], name: &str) -> Option<usize> {
    let exact = header.iter().position(|column| column.trim() == name);
    exact.or_else(|| normal.iter().position(|column| *column == normalised(name)))
}

fn recognised(normal: &[String], field: Field, taken: impl Fn(usize) -> bool) -> Option<usize> {
    let free = |wanted: &dyn Fn(&str) -> bool| {
        normal
            .iter()
            .enumerate()
            .find(|(at, column)| !taken(*at) && wanted(column))
            .map(|(at, _)| at)
    };
    let known = synonyms(field).find_map(|synonym| free(&|column| column == synonym));
    if field != Field::Phone {
        return known;
    }
    // "Mobile (private)", "Telefonnummer Kunde": a word that means a telephone decides.
    known.or_else(|| {
        [
            "mobil", "handy", "whatsapp", "phone", "telefon", "cell", "celular", "msisdn",
        ]
        .iter()
        .find_map(|word| free(&|column| column.contains(word)))
    })
}

fn attributes(header: &[String], fields: &BTreeMap<Field, (usize, String)>) -> Vec<(usize, String)> {
    let named = |at: &usize| !fields.values().any(|(taken, _)| taken == at);
    let mut found: Vec<(usize, String)> = Vec::new();
    for (at, name) in header.iter().enumerate().filter(|(at, _)| named(at)) {
        let name: String = name.trim().chars().filter(|c| !c.is_control()).take(64).collect();
        if !name.is_empty() && found.len() < 50 && !found.iter().any(|(_, other)| *other == name) {
            found.push((at, name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn found(text: &str) -> BTreeMap<Field, String> {
        Columns::find(&header(text), &ImportMapping::default())
            .unwrap()
            .names()
    }

    #[test]
    fn headers_of_several_languages_are_recognised() {
        for (text, phone, country) in [
            (
                "customer_id,full_name,mobile,country,timezone,opted_in",
                "mobile",
                Some("country"),
            ),
            ("Name,Telefon,Land", "Telefon", Some("Land")),
            (
                "\u{feff}Mobile Number ,Country Code",
                "\u{feff}Mobile Number",
                Some("Country Code"),
            ),
            ("Nom,Téléphone,Pays", "Téléphone", Some("Pays")),
            ("Phone,Mobile", "Mobile", None),
            ("Kunde,Handy (privat)", "Handy (privat)", None),
        ] {
            let found = found(text);
            assert_eq!(found[&Field::Phone].trim(), phone.trim(), "{text}");
            assert_eq!(found.get(&Field::Country).map(String::as_str), country, "{text}");
        }
        assert_eq!(found("Opt-In,phone")[&Field::OptedIn], "Opt-In");
        assert_eq!(found("Einwilligung,tel")[&Field::OptedIn], "Einwilligung");
    }

    #[test]
    fn a_named_column_wins_and_has_to_be_there() {
        let asked = ImportMapping {
            phone: Some("second phone".to_owned()),
            ..ImportMapping::default()
        };
        let columns = Columns::find(&header("Phone,Second Phone"), &asked).unwrap();
        assert_eq!(columns.names()[&Field::Phone], "Second Phone");
        assert_eq!(
            Columns::find(&header("Phone"), &asked),
            Err(NoColumn::Named("second phone".to_owned()))
        );
        assert_eq!(
            Columns::find(&header("a,b"), &ImportMapping::default()),
            Err(NoColumn::Phone)
        );
    }

    #[test]
    fn other_columns_become_attributes() {
        let columns = Columns::find(&header("phone,city,,city,tier"), &ImportMapping::default()).unwrap();
        let row = header("+49,Kehl,x,y,gold");
        assert_eq!(
            columns.attributes(&row).collect::<Vec<_>>(),
            [("city", "Kehl"), ("tier", "gold")]
        );
    }

    #[test]
    fn an_impossible_mapping_is_refused_before_the_file() {
        for text in [
            r#"{"default_country":"QQ"}"#,
            r#"{"delimiter":"x"}"#,
            r#"{"encoding":"klingon"}"#,
            r#"{"phone":"a\u0000"}"#,
        ] {
            let mapping: ImportMapping = serde_json::from_str(text).unwrap();
            assert!(mapping.check().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<ImportMapping>(r#"{"fone":"x"}"#).is_err());
        assert!(
            ImportMapping {
                delimiter: Some("\t".to_owned()),
                ..ImportMapping::default()
            }
            .check()
            .is_ok()
        );
    }
}
