//! Which styles show a number as a day or a time.

use std::collections::BTreeSet;

use quick_xml::events::Event;

use super::SheetFault;
use super::xml::{Xml, attribute, begun, local};

/// The most styles and formats that are remembered, as in a spreadsheet.
const MOST_STYLES: usize = 65_536;

/// The formats that every spreadsheet has, of days and times.
const BUILT_IN: [std::ops::RangeInclusive<u32>; 4] = [14..=22, 27..=36, 45..=47, 50..=58];

/// What the styles of cells mean for their numbers.
#[derive(Debug, Default)]
pub(super) struct Styles {
    days: Vec<bool>,
    /// Whether days are counted from 1904 on.
    pub(super) since_1904: bool,
}

impl Styles {
    /// Reads them.
    pub(super) fn read(mut xml: Xml<'_>, since_1904: bool) -> Result<Self, SheetFault> {
        let (mut formats, mut days, mut cells) = (BTreeSet::new(), Vec::new(), false);
        while let Some(event) = xml.next()? {
            match &event {
                Event::Start(tag) if local(tag.name().0) == "cellXfs" => cells = true,
                Event::End(tag) if local(tag.name().0) == "cellXfs" => cells = false,
                _ => {}
            }
            match begun(&event) {
                Some((tag, "numFmt")) if formats.len() < MOST_STYLES => {
                    let code = attribute(tag, "formatCode")?.unwrap_or_default();
                    let id = attribute(tag, "numFmtId")?.and_then(|id| id.parse::<u32>().ok());
                    formats.extend(id.filter(|_| is_day(&code)));
                }
                Some((tag, "xf")) if cells && days.len() < MOST_STYLES => {
                    let id = attribute(tag, "numFmtId")?.and_then(|id| id.parse::<u32>().ok());
                    let built_in = |id| BUILT_IN.iter().any(|range| range.contains(&id));
                    days.push(id.is_some_and(|id| built_in(id) || formats.contains(&id)));
                }
                _ => {}
            }
        }
        Ok(Self { days, since_1904 })
    }

    /// Whether a cell of this style shows a day or a time.
    pub(super) fn is_day(&self, style: usize) -> bool {
        self.days.get(style).copied().unwrap_or_default()
    }
}

/// Whether a format has a letter of days or times outside of quotes, brackets and escapes.
fn is_day(code: &str) -> bool {
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => drop(characters.find(|c| *c == '"')),
            '[' => drop(characters.find(|c| *c == ']')),
            '\\' | '_' | '*' => drop(characters.next()),
            'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_day;

    #[test]
    fn a_format_of_days_is_told_from_one_of_quantities() {
        for (code, expected) in [
            ("yyyy-mm-dd", true),
            ("dd.mm.yyyy;@", true),
            ("[$-407]d. mmmm yyyy", true),
            ("h:mm", true),
            ("0", false),
            ("@", false),
            ("00000000", false),
            ("#,##0.00 \"years\"", false),
            ("[Red]0", false),
            ("0\\d", false),
            ("", false),
        ] {
            assert_eq!(is_day(code), expected, "{code}");
        }
    }
}
