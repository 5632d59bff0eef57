//! The strings that cells share: the one part of a workbook that has to be held, as one text and the places where its
//! strings end.

use quick_xml::events::Event;

use super::SheetFault;
use super::xml::{Xml, append, begun, local};

/// The most bytes of all of them together.
const MOST_TEXT: usize = 16 << 20;
/// The most of them.
const MOST_STRINGS: usize = 2_000_000;
/// The most bytes of one that are kept: no more of a cell is ever used.
const MOST_STRING: usize = 4_000;

/// Shared strings by their number.
#[derive(Debug, Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Reads them.
    pub(super) fn read(mut xml: Xml<'_>) -> Result<Self, SheetFault> {
        let (mut strings, mut one) = (Self::default(), String::new());
        let (mut inside, mut phonetic) = (false, false);
        while let Some(event) = xml.next()? {
            match &event {
                // How it is spoken is not part of it.
                Event::Start(tag) if local(tag.name().0) == "rPh" => phonetic = true,
                Event::End(tag) if local(tag.name().0) == "rPh" => phonetic = false,
                Event::Start(tag) if local(tag.name().0) == "t" => inside = !phonetic,
                Event::End(tag) if local(tag.name().0) == "t" => inside = false,
                Event::End(tag) if local(tag.name().0) == "si" => {
                    strings.add(&one)?;
                    one.clear();
                }
                Event::Empty(_) if begun(&event).is_some_and(|(_, name)| name == "si") => strings.add("")?,
                event if inside => append(event, &mut one, MOST_STRING)?,
                _ => {}
            }
        }
        Ok(strings)
    }

    fn add(&mut self, one: &str) -> Result<(), SheetFault> {
        if self.text.len() + one.len() > MOST_TEXT || self.ends.len() >= MOST_STRINGS {
            return Err(SheetFault::TooLarge("at most 16 MiB in 2,000,000 shared texts"));
        }
        self.text.push_str(one);
        // 16 MiB fit.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// The one with this number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let end = usize::try_from(*self.ends.get(number)?).ok()?;
        let start = match number.checked_sub(1) {
            Some(before) => usize::try_from(*self.ends.get(before)?).ok()?,
            None => 0,
        };
        self.text.get(start..end)
    }
}
