//! Once: a request that its client repeats has one effect, and one answer.
//!
//! Owns       the tables `once` and `once_platform` in the schema of every service that uses it
//! Offers     [`enter`] and [`Ticket::leave`], inside the transaction of the effect; [`with_tidying`]
//! Needs      `kernel`, `crypto`, `database`, `schedule`
//!
//! A verb whose request may be repeated:
//! ```text
//! let entry = match once::enter(&tx, key, actor, "create_campaign").await? {
//!     Entry::Replay { status, body } => return Ok(Answer::Replayed { status, body }),
//!     entry => entry,
//! };
//! // … the effect …
//! entry.leave(&tx, 201, &campaign).await?;
//! tx.commit().await?;
//! Ok(Answer::New(campaign))
//! ```
//! and its handler: `answered(StatusCode::CREATED, broadcast.create(…).await?)`. What fails leaves no key: the next try is the
//! first one.
//!
//! Read `entry.rs` first.

mod entry;
mod error;
mod schema;
mod tidy;

pub use entry::{Entry, Ticket, enter, enter_platform};
pub use error::OnceError;
pub use schema::migrations;
pub use tidy::{tidy, with_tidying};
