//! The query parameters of every list.

use plaza_kernel::{Cursor, FieldError, Limit, PageQuery};
use serde::Deserialize;
use utoipa::IntoParams;

use super::query::invalid;
use crate::ApiError;

/// `limit`, `cursor` and `page` of a list: `Query(page): Query<PageParams>`, then `page.parse()?`.
///
/// They are kept as text, so that the type can be `#[serde(flatten)]`ed into a list's own parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many items, 1 to 200.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
    /// The number of the page, from 1: for clients that do not know cursors. A cursor wins over it.
    #[param(value_type = Option<u32>, minimum = 1)]
    page: Option<String>,
}

impl PageParams {
    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    /// 422 `INVALID_QUERY` when one of the three is not acceptable.
    pub fn parse(&self) -> Result<PageQuery, ApiError> {
        self.number()?;
        Ok(PageQuery {
            limit: self.limit()?,
            cursor: self.cursor()?,
        })
    }

    /// How many items `page` skips: none when there is a cursor.
    ///
    /// # Errors
    /// 422 `INVALID_QUERY` as [`PageParams::parse`].
    pub fn skip(&self) -> Result<i64, ApiError> {
        let page = self.parse()?;
        let before = if page.cursor.is_some() {
            0
        } else {
            self.number()? - 1
        };
        // Two numbers below 2³² and 2⁸.
        Ok(i64::from(before) * (page.limit.and_one() - 1))
    }

    fn limit(&self) -> Result<Limit, ApiError> {
        let Some(text) = &self.limit else {
            return Ok(Limit::default());
        };
        let limit = text.parse().ok().and_then(Limit::new);
        limit.ok_or_else(|| refused("limit", format!("a number from 1 to {}", Limit::MOST)))
    }

    fn cursor(&self) -> Result<Option<Cursor>, ApiError> {
        let cursor = self.cursor.as_deref().map(Cursor::parse).transpose();
        cursor.map_err(|_| refused("cursor", "a `next_cursor` of this list"))
    }

    fn number(&self) -> Result<u32, ApiError> {
        let Some(text) = &self.page else { return Ok(1) };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| refused("page", "a number from 1"))
    }
}

fn refused(name: &str, wanted: impl std::fmt::Display) -> ApiError {
    invalid(FieldError::new(
        name,
        "INVALID_VALUE",
        format!("`{name}` has to be {wanted}"),
    ))
}
