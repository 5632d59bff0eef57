//! What a message is like that can be queued, whoever asks for it: a service by a call, or whoever can write to the
//! broker by an event.

use plaza_contracts::events::{MessageContent, OutgoingMessage};

use crate::senders::WHATSAPP;
use crate::suppressions::is_e164;

/// The most messages of one batch.
const MESSAGES: usize = 500;
/// The longest value of one place, in characters.
const VALUE: usize = 1_024;

/// The field that makes a batch unacceptable, if one does.
pub(super) fn problem(messages: &[OutgoingMessage]) -> Option<&'static str> {
    if messages.is_empty() || messages.len() > MESSAGES {
        return Some("messages");
    }
    messages.iter().find_map(problem_of)
}

fn problem_of(message: &OutgoingMessage) -> Option<&'static str> {
    if message.channel != WHATSAPP {
        return Some("channel");
    }
    if !is_e164(&message.to) {
        return Some("to");
    }
    let MessageContent::Template { name, language, body } = &message.content;
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let named = (1..=512).contains(&name.len()) && name.bytes().all(in_name);
    let fits = body.iter().all(|value| value.chars().count() <= VALUE);
    let good = named && (2..=10).contains(&language.len()) && fits;
    (!good).then_some("template")
}
