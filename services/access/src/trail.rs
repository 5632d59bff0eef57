//! Reading the audit of the whole: every service keeps its own, here they are put together. Entries sort by their ids, which
//! begin with their time; so a page of all is made of a page of each, whichever processes they are in.

mod error;
mod export;
pub(crate) mod http;
mod position;
mod read;
mod sources;
mod verify;
mod view;

pub(crate) use error::TrailError;
pub(crate) use sources::Sources;
