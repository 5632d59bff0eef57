//! What becomes of a row: a recipient, or an error of a class.

use plaza_contracts::zones::is_zone;

use super::mapping::Field;
use super::profile::Layout;
use crate::recipients::attributes::Attributes;
use crate::recipients::consent::Consent;
use crate::recipients::country::Country;
use crate::recipients::phone::{self, Cell, Phone};
use crate::text_enum::text_enum;

text_enum! {
    /// Why a row made no recipient.
    pub(crate) enum ErrorClass {
        /// An earlier row of the file has the same number.
        Duplicate = "duplicate",
        /// No number.
        MissingPhone = "missing_phone",
        /// No number that exists.
        InvalidPhone = "invalid_phone",
        /// A number that a spreadsheet rounded.
        DamagedBySpreadsheet = "damaged_by_spreadsheet",
    }
}

/// A recipient as a row describes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    /// The number.
    pub(crate) phone: Phone,
    /// The country of the row, else of the number.
    pub(crate) country: Option<Country>,
    /// The name.
    pub(crate) name: Option<String>,
    /// The tenant's own id.
    pub(crate) external_id: Option<String>,
    /// The time zone.
    pub(crate) timezone: Option<String>,
    /// The language.
    pub(crate) locale: Option<String>,
    /// What the row says about consent.
    pub(crate) consent: Consent,
    /// Everything else.
    pub(crate) attributes: Attributes,
}

/// One row, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadRow {
    /// Its number in the file; the header is row 1.
    pub(crate) row: u64,
    /// What stands in its column of numbers, cut to a bounded length.
    pub(crate) value: String,
    /// What becomes of it, as far as the row alone can tell: duplicates are found later.
    pub(crate) verdict: Result<Box<Incoming>, ErrorClass>,
}

impl ReadRow {
    /// About how much of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let verdict = self.verdict.as_ref().map_or(0, |incoming| {
            size_of::<Incoming>()
                + incoming.phone.as_str().len()
                + optional(&incoming.name)
                + optional(&incoming.external_id)
                + optional(&incoming.timezone)
                + optional(&incoming.locale)
                + incoming.attributes.len()
        });
        size_of::<Self>() + self.value.len() + verdict
    }
}

/// Reads a row.
pub(crate) fn classify(layout: &Layout, row: u64, cells: &[String]) -> ReadRow {
    let columns = &layout.columns;
    let raw = columns.cell(cells, Field::Phone).unwrap_or_default();
    let named = columns.cell(cells, Field::Country).and_then(Country::read);
    let verdict = match phone::read(raw, named.or_else(|| layout.default_country())) {
        Cell::Valid(phone) => Ok(Box::new(Incoming {
            country: named.or(phone.country()),
            phone,
            name: text(columns.cell(cells, Field::Name), 200),
            external_id: text(columns.cell(cells, Field::ExternalId), 200),
            timezone: tag(columns.cell(cells, Field::Timezone)).filter(|zone| is_zone(zone)),
            locale: tag(columns.cell(cells, Field::Locale)),
            consent: columns
                .cell(cells, Field::OptedIn)
                .map_or(Consent::Unknown, Consent::read),
            attributes: Attributes::of(
                columns
                    .attributes(cells)
                    .filter_map(|(name, value)| Some((name, text(Some(value), 500)?))),
            ),
        })),
        Cell::Missing => Err(ErrorClass::MissingPhone),
        Cell::Damaged => Err(ErrorClass::DamagedBySpreadsheet),
        Cell::Invalid => Err(ErrorClass::InvalidPhone),
    };
    ReadRow {
        row,
        value: text(Some(raw), 200).unwrap_or_default(),
        verdict,
    }
}

/// A cell as text: trimmed, bounded, without NUL and the other control characters that the database or a provider
/// would refuse; a line break in a name is kept.
fn text(cell: Option<&str>, most: usize) -> Option<String> {
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = cell?.trim().chars().filter(kept).take(most).collect();
    (!text.is_empty()).then_some(text)
}

/// A language, or what looks like a time zone; anything else is as good as absent.
fn tag(cell: Option<&str>) -> Option<String> {
    let text = cell?.trim();
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(accepted)).then(|| text.to_owned())
}
