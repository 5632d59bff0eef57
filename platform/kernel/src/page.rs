//! Lists in pages: `{items, next_cursor}`, `limit` and `cursor`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many items one page may have: 1 to 200, 50 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The most that one page may have.
    pub const MOST: u16 = 200;
    /// What a page has unless told.
    pub const USUAL: u16 = 50;

    /// A limit, if it is in range.
    pub const fn new(limit: u16) -> Option<Self> {
        if limit == 0 || limit > Self::MOST {
            None
        } else {
            Some(Self(limit))
        }
    }

    /// The number of items.
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// One more than the page has: what a store asks for, to learn whether there is a next page.
    pub const fn and_one(self) -> i64 {
        self.0 as i64 + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(Self::USUAL)
    }
}

/// Where the next page begins: after the item of this id. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Uuid);

/// The text is not a cursor that we made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl Cursor {
    /// After this item.
    pub fn after(id: impl Into<Uuid>) -> Self {
        Self(id.into())
    }

    /// The id of the last item seen.
    pub const fn last_seen(self) -> Uuid {
        self.0
    }

    /// Reads what `Display` wrote, and no other spelling of it.
    ///
    /// There is no signature: a cursor is a place in a list of what its reader may see, and says nothing of who may see it.
    pub fn parse(text: &str) -> Result<Self, InvalidCursor> {
        let hex = text.strip_prefix("c1").ok_or(InvalidCursor)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != 32 || !hex.bytes().all(is_digit) {
            return Err(InvalidCursor);
        }
        Uuid::try_parse(hex).map(Self).map_err(|_| InvalidCursor)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c1{}", self.0.simple())
    }
}

/// What a client asks of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageQuery {
    /// How many.
    pub limit: Limit,
    /// After which item.
    pub cursor: Option<Cursor>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of what a store found when asked for [`Limit::and_one`] items.
    pub fn from_found<I: Into<Uuid>>(mut found: Vec<T>, limit: Limit, id: impl Fn(&T) -> I) -> Self {
        let more = found.len() > limit.get();
        found.truncate(limit.get());
        let last = found.last().filter(|_| more);
        let next_cursor = last.map(|item| Cursor::after(id(item)).to_string());
        Self {
            items: found,
            next_cursor,
        }
    }

    /// The same page with its items translated.
    pub fn map<U>(self, translate: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(translate).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_round_trips_and_rubbish_is_none() {
        let id = crate::Clock::system().uuid();
        assert_eq!(Cursor::parse(&Cursor::after(id).to_string()), Ok(Cursor(id)));
        for rubbish in ["", "c1", "x", "c1zz", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(Cursor::parse(rubbish), Err(InvalidCursor));
        }
    }

    proptest! {
        /// With any byte changed, left out or put in, a cursor is none, or the one cursor of another place.
        #[test]
        fn any_byte_changed_and_it_is_another_place_or_none(
            id in any::<u128>(), at in any::<prop::sample::Index>(), to in any::<char>(), change in 0..3,
        ) {
            let cursor = Cursor::after(Uuid::from_u128(id));
            let written = cursor.to_string();
            prop_assert_eq!(Cursor::parse(&written), Ok(cursor));
            let mut letters: Vec<char> = written.chars().collect();
            let at = at.index(letters.len());
            match change {
                0 => letters[at] = to,
                1 => letters.insert(at, to),
                _ => drop(letters.remove(at)),
            }
            let changed: String = letters.into_iter().collect();
            match Cursor::parse(&changed) {
                Ok(other) => {
                    prop_assert_eq!(other.to_string(), changed.clone());
                    prop_assert_eq!(other == cursor, changed == written);
                    prop_assert!(change == 0 && (at >= 2 || changed == written), "{} is longer or shorter, or of another kind", changed);
                }
                Err(InvalidCursor) => prop_assert_ne!(changed, written),
            }
        }

        #[test]
        fn rubbish_is_no_cursor(text in "\\PC{0,40}", shaped in "c[0-9][0-9a-fA-F-]{30,38}") {
            for text in [text, shaped] {
                if let Ok(cursor) = Cursor::parse(&text) {
                    prop_assert_eq!(cursor.to_string(), text);
                }
            }
        }
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let limit = Limit::new(2).unwrap();
        let ids = |n: u128| (0..n).map(Uuid::from_u128).collect::<Vec<_>>();
        assert!(Page::from_found(ids(2), limit, |id| *id).next_cursor.is_none());
        let page = Page::from_found(ids(3), limit, |id| *id);
        assert_eq!(page.items.len(), 2);
        assert!(page.next_cursor.is_some());
    }
}
