//! Text messages: what Twilio tells us of them. How they leave is in `providers/twilio.rs`, how long they may be in
//! `plaza_contracts::sms`.
//!
//! A callback names our sender in its path and is signed with that sender's token. Our message stands in the address too, so
//! whatever a callback says can be placed whether we have written down Twilio's id of the message or not.
//!
//! Read `callback.rs` first, then `http.rs`.

mod callback;
mod form;
pub(crate) mod fuzzing;
pub(crate) mod http;
mod inbound;
mod signature;
mod status;

use plaza_contracts::ids::{MessageId, SenderId};

pub(crate) use plaza_contracts::sms::LONGEST;

/// Where Twilio tells what became of a message.
pub(crate) fn status_callback(public_url: &str, sender: SenderId, message: MessageId) -> String {
    format!("{public_url}/webhooks/twilio/status/{sender}?m={message}")
}
