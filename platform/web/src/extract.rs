//! Strict extractors: what does not parse answers a problem with a stable code, never plain text.

mod fields;
pub(crate) mod json;
mod multipart;
mod paging;
mod query;

pub use json::Json;
pub use multipart::{Multipart, Part};
pub use paging::PageParams;
pub use query::{Path, Query};
