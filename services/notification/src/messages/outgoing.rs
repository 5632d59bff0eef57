//! What a message is like that can be queued, whoever asks for it: a service by a call, whoever can write to the broker by
//! an event, a person by a request.

use plaza_contracts::events::{
    ButtonValue, Media, MessageContent, OutgoingMessage, TemplateButton, TemplateHeader,
};
use plaza_contracts::zones::is_zone;

use super::CLASSES;
use crate::senders::{SMS, WHATSAPP};
use crate::sms;
use crate::suppressions::is_e164;

/// The most messages of one batch.
const MESSAGES: usize = 500;
/// The longest value of one place, in characters.
const VALUE: usize = 1_024;
/// The longest text of WhatsApp's.
const TEXT: usize = 4_096;
/// The most buttons of a template.
const BUTTONS: usize = 10;
/// The longest link to a picture, a film or a document.
const LINK: usize = 2_000;

/// Whether there are as many messages as a batch may have.
pub(super) fn is_batch(messages: &[OutgoingMessage]) -> bool {
    (1..=MESSAGES).contains(&messages.len())
}

/// The field that makes a message unacceptable, if one does.
pub(super) fn problem_of(message: &OutgoingMessage) -> Option<&'static str> {
    if ![WHATSAPP, SMS].contains(&message.channel.as_str()) {
        return Some("channel");
    }
    if !is_e164(&message.to) {
        return Some("to");
    }
    if message
        .class
        .as_deref()
        .is_some_and(|class| !CLASSES.contains(&class))
    {
        return Some("class");
    }
    if message.zone.as_deref().is_some_and(|zone| !is_zone(zone)) {
        return Some("zone");
    }
    problem_of_content(&message.channel, &message.content)
}

/// The part that makes a content unacceptable, if one does. Text messages are text.
pub(crate) fn problem_of_content(channel: &str, content: &MessageContent) -> Option<&'static str> {
    match content {
        MessageContent::Template {
            name,
            language,
            body,
            header,
            buttons,
        } if channel == WHATSAPP => {
            let named = is_name(name) && (2..=10).contains(&language.len()) && is_plain(language, 10);
            let fits = body.iter().all(|value| value.chars().count() <= VALUE);
            let decorated = header.as_ref().is_none_or(is_header) && are_buttons(buttons);
            (!(named && fits && decorated)).then_some("template")
        }
        MessageContent::Text { body, reply_to, .. } => {
            let longest = if channel == SMS { sms::LONGEST } else { TEXT };
            let length = body.chars().count();
            let said = (1..=longest).contains(&length) && !body.contains('\0');
            let answers = reply_to.as_deref().is_none_or(crate::providers::is_provider_id);
            (!(said && answers)).then_some("text")
        }
        MessageContent::Read { provider_id } if channel == WHATSAPP => {
            (!crate::providers::is_provider_id(provider_id)).then_some("provider_id")
        }
        MessageContent::Template { .. } | MessageContent::Read { .. } => Some("content"),
    }
}

fn is_name(name: &str) -> bool {
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=512).contains(&name.len()) && name.bytes().all(in_name)
}

fn is_header(header: &TemplateHeader) -> bool {
    match header {
        TemplateHeader::Text { text } => is_plain(text, VALUE),
        TemplateHeader::Image { media } | TemplateHeader::Video { media } => is_media(media),
        TemplateHeader::Document { media, filename } => {
            is_media(media) && filename.as_deref().is_none_or(|name| is_plain(name, 240))
        }
    }
}

fn is_media(media: &Media) -> bool {
    match media {
        Media::Id(id) => crate::providers::is_provider_id(id),
        Media::Link(link) => {
            link.len() <= LINK
                && link.starts_with("https://")
                && link.bytes().all(|byte| byte.is_ascii_graphic())
        }
    }
}

fn are_buttons(buttons: &[TemplateButton]) -> bool {
    let mut indices: Vec<u8> = buttons.iter().map(|button| button.index).collect();
    indices.sort_unstable();
    indices.dedup();
    let is_value = |button: &TemplateButton| match &button.value {
        ButtonValue::Url(text) => is_plain(text, LINK),
        ButtonValue::QuickReply(text) => is_plain(text, 256),
        ButtonValue::Code(text) => is_plain(text, 20),
    };
    buttons.len() <= BUTTONS && indices.len() == buttons.len() && buttons.iter().all(is_value)
}

/// One line of text, not empty.
fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count()) && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problem_in(channel: &str, content: Value) -> Option<&'static str> {
        problem_of_content(channel, &serde_json::from_value(content).unwrap())
    }

    fn template(with: Value) -> Value {
        let mut template = json!({"type": "template", "name": "a", "language": "en_US", "body": []});
        for (name, value) in with.as_object().unwrap() {
            template[name] = value.clone();
        }
        template
    }

    #[test]
    fn what_a_provider_takes_is_acceptable() {
        for content in [
            template(json!({})),
            template(json!({"header": {"type": "image", "media": {"link": "https://example.com/a.png"}}})),
            template(json!({"header": {"type": "document", "media": {"id": "1"}, "filename": "bill.pdf"}})),
            template(
                json!({"buttons": [{"index": 0, "value": {"url": "a"}}, {"index": 1, "value": {"code": "b"}}]}),
            ),
            json!({"type": "text", "body": "one\ntwo", "reply_to": "wamid.1"}),
            json!({"type": "read", "provider_id": "wamid.1"}),
        ] {
            assert_eq!(problem_in(WHATSAPP, content.clone()), None, "{content}");
        }
        assert_eq!(
            problem_in(SMS, json!({"type": "text", "body": "x".repeat(1_600)})),
            None
        );
    }

    #[test]
    fn what_no_provider_takes_is_not() {
        let long = |length| json!({"type": "text", "body": "x".repeat(length)});
        for (channel, content, problem) in [
            (WHATSAPP, template(json!({"name": "A"})), "template"),
            (WHATSAPP, template(json!({"language": "e"})), "template"),
            (
                WHATSAPP,
                template(json!({"body": ["x".repeat(1_025)]})),
                "template",
            ),
            (
                WHATSAPP,
                template(json!({"header": {"type": "text", "text": "a\nb"}})),
                "template",
            ),
            (
                WHATSAPP,
                template(json!({"header": {"type": "image", "media": {"link": "http://x"}}})),
                "template",
            ),
            (
                WHATSAPP,
                template(json!({"header": {"type": "image", "media": {"id": ""}}})),
                "template",
            ),
            (
                WHATSAPP,
                template(
                    json!({"buttons": [{"index": 0, "value": {"url": "a"}}, {"index": 0, "value": {"url": "b"}}]}),
                ),
                "template",
            ),
            (
                WHATSAPP,
                template(json!({"buttons": [{"index": 0, "value": {"code": ""}}]})),
                "template",
            ),
            (WHATSAPP, long(0), "text"),
            (WHATSAPP, long(4_097), "text"),
            (WHATSAPP, json!({"type": "text", "body": "a\u{0}"}), "text"),
            (
                WHATSAPP,
                json!({"type": "text", "body": "a", "reply_to": "a b"}),
                "text",
            ),
            (
                WHATSAPP,
                json!({"type": "read", "provider_id": ""}),
                "provider_id",
            ),
            (SMS, long(1_601), "text"),
            (SMS, template(json!({})), "content"),
            (SMS, json!({"type": "read", "provider_id": "x"}), "content"),
        ] {
            assert_eq!(problem_in(channel, content.clone()), Some(problem), "{content}");
        }
    }
}
