//! Recovery: who lost a password, or has yet to show that an address is theirs, is sent a link and follows it.
//!
//! Asking is answered alike, and does the same work, whether the address has an account or not: a row is written that says
//! that a mail is due, and whoever works it off looks for the account (`mails.rs`). What is in the mail is derived from the
//! row's id and the server's secret, so that a mail that is sent again is the same mail, and nothing secret lies in the
//! database. Links lead to the configured origin, never to a request's host.

mod code;
mod forgot;
pub(crate) mod http;
mod proof;
mod resend;
mod reset;
pub(crate) mod store;
mod verify;

pub(crate) use code::Code;
pub use forgot::AskError;
pub(crate) use proof::{Proof, Purpose};
pub use reset::ResetError;
pub use verify::VerifyError;
