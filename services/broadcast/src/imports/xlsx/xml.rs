//! A part of a workbook as XML, read tag by tag under bounds. Nothing outside of the part is ever looked up: there are no
//! entities but the five that XML has itself, and a document type is refused.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};
use zip::read::ZipFile;

use super::SheetFault;
use super::container::too_inflated;

/// The longest tag or text.
const MOST_EVENT: usize = 1 << 20;
/// The longest name of an element.
const MOST_NAME: usize = 1 << 10;
/// How deep elements may be in each other.
const MOST_DEPTH: usize = 64;
/// The most tags and texts of one part: five for a cell with a value.
const MOST_EVENTS: u32 = 8_000_000;

type Part<'a> = ZipFile<'a, Cursor<Vec<u8>>>;

/// A part that is read.
pub(super) struct Xml<'a> {
    reader: Reader<Bounded<'a>>,
    buffer: Vec<u8>,
    depth: usize,
    events: u32,
}

impl<'a> Xml<'a> {
    /// Reads this part; what it inflates to is taken from `left`.
    pub(super) fn new(part: Part<'a>, left: &'a mut u64) -> Self {
        let counted = Counted { part, left };
        let mut reader = Reader::from_reader(Bounded {
            input: BufReader::with_capacity(32 << 10, counted),
            event: 0,
        });
        reader.config_mut().check_comments = false;
        Self {
            reader,
            buffer: Vec::new(),
            depth: 0,
            events: 0,
        }
    }

    /// The next tag or text; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Event<'_>>, SheetFault> {
        self.buffer.clear();
        self.reader.get_mut().event = 0;
        let event = self.reader.read_event_into(&mut self.buffer).map_err(fault)?;
        match &event {
            // The reader keeps the names of those that are open.
            Event::Start(tag) if tag.name().0.len() > MOST_NAME => {
                return Err(SheetFault::TooLarge("at most 1 KiB in one name"));
            }
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::DocType(_) => return Err(SheetFault::Unreadable("it declares a document type")),
            Event::Eof if self.depth > 0 => return Err(SheetFault::Unreadable("a part of it ends early")),
            Event::Eof => return Ok(None),
            _ => {}
        }
        self.events += 1;
        if self.depth > MOST_DEPTH || self.events > MOST_EVENTS {
            return Err(SheetFault::TooLarge(
                "at most 64 elements in each other, and 8,000,000 in all",
            ));
        }
        Ok(Some(event))
    }

    /// Reads on as long as something says so.
    pub(super) fn each(
        mut self,
        mut on: impl FnMut(&Event<'_>) -> Result<(), SheetFault>,
    ) -> Result<(), SheetFault> {
        while let Some(event) = self.next()? {
            on(&event)?;
        }
        Ok(())
    }
}

/// The element that an event begins, without its prefix.
pub(super) fn begun<'e>(event: &'e Event<'_>) -> Option<(&'e BytesStart<'e>, &'e str)> {
    match event {
        Event::Start(tag) | Event::Empty(tag) => Some((tag, local(tag.name().0))),
        _ => None,
    }
}

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The value of an attribute, whatever its prefix.
pub(super) fn attribute<'t>(tag: &'t BytesStart<'_>, name: &str) -> Result<Option<Cow<'t, str>>, SheetFault> {
    for attribute in attributes(tag) {
        let (found, value) = attribute?;
        if found == name {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The names, without their prefixes, and values of all attributes.
pub(super) fn attributes<'t>(
    tag: &'t BytesStart<'_>,
) -> impl Iterator<Item = Result<(&'t str, Cow<'t, str>), SheetFault>> {
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    attributes
        .map(|attribute| {
            let attribute = attribute.map_err(|_| malformed())?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            Ok((attribute.key.0, value.map_err(fault)?))
        })
        .filter(|found| !found.as_ref().is_ok_and(|(name, _)| name.starts_with("xmlns")))
        .map(|found| found.map(|(name, value)| (local(name), value)))
}

/// Appends the characters that an event stands for, as long as there are no more than `most` bytes.
pub(super) fn append(event: &Event<'_>, text: &mut String, most: usize) -> Result<(), SheetFault> {
    let piece = match event {
        Event::Text(text) => text.xml10_content(),
        Event::CData(text) => text.xml10_content(),
        Event::GeneralRef(entity) => match entity.resolve_char_ref().map_err(fault)? {
            Some(character) => Cow::Owned(character.to_string()),
            None => quick_xml::escape::resolve_xml_entity(entity)
                .map(Cow::Borrowed)
                .ok_or(SheetFault::Unreadable("it has entities of its own"))?,
        },
        _ => return Ok(()),
    };
    let room = most.saturating_sub(text.len());
    text.push_str(&piece[..piece.floor_char_boundary(room)]);
    Ok(())
}

const fn malformed() -> SheetFault {
    SheetFault::Unreadable("a part of it is no XML in UTF-8")
}

fn fault(error: Error) -> SheetFault {
    match error {
        Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Bound>()) {
            Some(Bound::Inflated) => too_inflated(),
            Some(Bound::Event) => SheetFault::TooLarge("at most 1 MiB in one tag or text"),
            None => SheetFault::Unreadable("the archive is damaged"),
        },
        _ => malformed(),
    }
}

/// The bound that was met.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("more than accepted")]
enum Bound {
    Inflated,
    Event,
}

/// Counts what comes out of the archive: what its directory says of sizes is not to be relied on.
struct Counted<'a> {
    part: Part<'a>,
    left: &'a mut u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        let left = self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX));
        *self.left = left.ok_or_else(|| io::Error::other(Bound::Inflated))?;
        Ok(read)
    }
}

/// Counts what the reader keeps of one tag or text.
struct Bounded<'a> {
    input: BufReader<Counted<'a>>,
    event: usize,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl BufRead for Bounded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.event > MOST_EVENT {
            return Err(io::Error::other(Bound::Event));
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.event += amount;
        self.input.consume(amount);
    }
}
