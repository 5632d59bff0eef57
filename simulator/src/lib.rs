//! Simulator: the providers' wire formats over HTTP, with faults that can be repeated.
//!
//! Offers     [`Simulator`]: `POST /{version}/{phone number id}/messages` of the WhatsApp Cloud API,
//!            `POST /2010-04-01/Accounts/{sid}/Messages.json` of Twilio's, their signed callbacks, and
//!            `/_simulator/{messages,counts,faults,reset,health}` to look inside,
//!            `/_simulator/whatsapp/{inbound,change}` for what a person or Meta does
//! Needs      `kernel` (the clock) and `telemetry`, and nothing else of Plaza: it is a peer, so it shares no code with the
//!            adapters
//!
//! A message is accepted (written to the state file, then answered 200), and after that its *plan* is carried out:
//! one callback after another, each repeated until it is answered with 2xx. A plan is made from the seed, the
//! recipient's number (does it fail, is it read) and the message's `biz_opaque_callback_data` (delays, repetitions,
//! order), so the same campaign has the same fate however its requests interleave.
//!
//! What it accepted survives `kill -9`; a callback whose answer was not written down yet is sent again.
//!
//! An adapter needs `http://ADDRESS` as its base URL, any access token, and any phone number id made of digits. Its
//! webhook gets `X-Hub-Signature-256` under the app secret, statuses spread over several entries and changes,
//! repetitions, and some `delivered` before their `sent`. Nothing is ever taken back: a message that was accepted
//! twice is two messages with two ids and one reference, and counts as a duplicate.
//!
//! A message keeps the trace that its request named (`traceparent`), and its callbacks name it again, so a receipt joins
//! the trace of what was sent. A callback for messages of several traces has a trace of its own, linked to theirs.
//!
//! Text messages need an account id of Twilio's shape and any token, with which their callbacks are signed: each status goes
//! to the `StatusCallback` of its message. `POST /_simulator/twilio/inbound` has somebody write to a number.
//!
//! Faults on purpose: see [`Fault::TABLE`]. Numbers of real people never have them, unless
//! [`Faults::All`] is asked for. A template named `fault_132015` is refused with that code.
//!
//! A number has no limit unless `number_rate` and `pair_seconds` give it Meta's.
//!
//! Read `ledger.rs` first: all that is known is in it. Then `plan.rs`, `delivery.rs`, `whatsapp.rs`.

mod delivery;
mod draws;
mod faults;
mod inspection;
mod journal;
mod ledger;
mod limits;
mod messages;
mod plan;
mod settings;
mod simulator;
mod tally;
mod twilio;
mod whatsapp;

pub use faults::{Fault, FaultRow, Faults};
pub use inspection::{MessageList, MessageView, StatusView};
pub use journal::JournalError;
pub use plan::{Status, Step};
pub use settings::{InvalidSettings, SimulatorSettings};
pub use simulator::{Simulator, SimulatorError};
pub use tally::{CallbackCounts, Counts, MessageCounts};
