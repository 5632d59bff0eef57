//! Which part of a list is asked for.

use plaza_kernel::{Failure, FieldError, Kind, Limit, PageQuery};
use plaza_web::{ApiError, PageParams};
use uuid::Uuid;

/// The most items that `page` may skip; further ones are reached by `cursor`.
const MOST_SKIPPED: i64 = 100_000;

/// The part of a list, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// How many.
    pub(crate) limit: Limit,
    /// The id of the last item seen.
    pub(crate) after: Option<Uuid>,
    /// How many items to skip.
    pub(crate) skip: i64,
}

impl From<PageQuery> for Window {
    fn from(page: PageQuery) -> Self {
        Self {
            limit: page.limit,
            after: page.cursor.map(plaza_kernel::Cursor::last_seen),
            skip: 0,
        }
    }
}

impl Window {
    /// Reads it from the query.
    pub(crate) fn of(params: &PageParams) -> Result<Self, ApiError> {
        let (page, skip) = (params.parse()?, params.skip()?);
        if skip > MOST_SKIPPED {
            return Err(InvalidQuery::new("page", "use `cursor` to go further").into());
        }
        Ok(Self {
            skip,
            ..Self::from(page)
        })
    }

    /// For lists in descending order: the id that all items are below.
    pub(crate) fn below(&self) -> Uuid {
        self.after.unwrap_or(Uuid::max())
    }

    /// For lists in ascending order: the id that all items are above.
    pub(crate) fn above(&self) -> Uuid {
        self.after.unwrap_or(Uuid::nil())
    }
}

/// A query parameter is not acceptable.
#[derive(Debug, thiserror::Error)]
#[error("`{pointer}` is not acceptable")]
pub(crate) struct InvalidQuery {
    pointer: &'static str,
    detail: &'static str,
}

impl InvalidQuery {
    /// What is wrong with which parameter.
    pub(crate) const fn new(pointer: &'static str, detail: &'static str) -> Self {
        Self { pointer, detail }
    }
}

impl Failure for InvalidQuery {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_QUERY"
    }

    fn fields(&self) -> Vec<FieldError> {
        vec![FieldError::new(self.pointer, "INVALID_VALUE", self.detail)]
    }
}
