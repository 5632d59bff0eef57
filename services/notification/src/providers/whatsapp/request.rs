//! The request that hands over a message. No I/O here.

use plaza_contracts::events::{ButtonValue, Media, MessageContent, TemplateButton, TemplateHeader};
use serde::Serialize;
use serde_json::{Value, json};

use crate::providers::Outgoing;

/// What is posted to `/{phone-number-id}/messages`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Request<'a> {
    /// A message to somebody.
    Message(Message<'a>),
    /// One of theirs was read.
    Read(Read<'a>),
}

#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    to: &'a str,
    biz_opaque_callback_data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Read<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
}

/// What a message answers.
#[derive(Debug, Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    Template { template: Template<'a> },
    Text { text: Text<'a> },
}

#[derive(Debug, Serialize)]
struct Text<'a> {
    body: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    preview_url: bool,
}

#[derive(Debug, Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component>,
}

#[derive(Debug, Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Debug, Serialize)]
struct Component {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    /// A number, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    parameters: Vec<Value>,
}

impl<'a> Request<'a> {
    pub(super) fn of(message: &'a Outgoing) -> Self {
        let (content, context) = match &message.content {
            MessageContent::Template {
                name,
                language,
                body,
                header,
                buttons,
            } => {
                let template = Template {
                    name,
                    language: Language { code: language },
                    components: components(header.as_ref(), body, buttons),
                };
                (Content::Template { template }, None)
            }
            MessageContent::Text {
                body,
                preview_url,
                reply_to,
            } => {
                let (body, preview_url) = (body.as_str(), *preview_url);
                let context = reply_to.as_deref().map(|message_id| Context { message_id });
                let text = Text { body, preview_url };
                (Content::Text { text }, context)
            }
            MessageContent::Read { provider_id } => {
                return Self::Read(Read {
                    messaging_product: "whatsapp",
                    status: "read",
                    message_id: provider_id,
                });
            }
        };
        Self::Message(Message {
            messaging_product: "whatsapp",
            recipient_type: "individual",
            to: message.to.trim_start_matches('+'),
            biz_opaque_callback_data: message.reference.to_string(),
            context,
            content,
        })
    }
}

/// Only the parts of a template that have values are named.
fn components(
    header: Option<&TemplateHeader>,
    body: &[String],
    buttons: &[TemplateButton],
) -> Vec<Component> {
    let plain = |r#type, parameters| Component {
        r#type,
        sub_type: None,
        index: None,
        parameters,
    };
    let header = header.map(|header| plain("header", vec![header_value(header)]));
    let values: Vec<_> = body
        .iter()
        .map(|text| json!({"type": "text", "text": text}))
        .collect();
    let body = (!values.is_empty()).then(|| plain("body", values));
    let buttons = buttons.iter().map(button);
    header.into_iter().chain(body).chain(buttons).collect()
}

fn header_value(header: &TemplateHeader) -> Value {
    match header {
        TemplateHeader::Text { text } => json!({"type": "text", "text": text}),
        TemplateHeader::Image { media } => json!({"type": "image", "image": place(media)}),
        TemplateHeader::Video { media } => json!({"type": "video", "video": place(media)}),
        TemplateHeader::Document { media, filename } => {
            let mut document = place(media);
            if let Some(filename) = filename {
                document["filename"] = json!(filename);
            }
            json!({"type": "document", "document": document})
        }
    }
}

fn place(media: &Media) -> Value {
    match media {
        Media::Id(id) => json!({"id": id}),
        Media::Link(link) => json!({"link": link}),
    }
}

/// A one-time password is the text of a button of the kind `url` too: its templates have no other.
fn button(button: &TemplateButton) -> Component {
    let (sub_type, parameter) = match &button.value {
        ButtonValue::Url(text) => ("url", json!({"type": "text", "text": text})),
        ButtonValue::QuickReply(payload) => ("quick_reply", json!({"type": "payload", "payload": payload})),
        ButtonValue::Code(code) => ("copy_code", json!({"type": "coupon_code", "coupon_code": code})),
    };
    Component {
        r#type: "button",
        sub_type: Some(sub_type),
        index: Some(button.index.to_string()),
        parameters: vec![parameter],
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::ids::MessageId;

    use super::*;

    fn posted(content: Value) -> Value {
        let message = Outgoing {
            reference: MessageId::from(uuid::Uuid::from_u128(7)),
            to: "+12015550123".to_owned(),
            content: serde_json::from_value(content).unwrap(),
        };
        serde_json::to_value(Request::of(&message)).unwrap()
    }

    #[test]
    fn every_kind_of_message_has_metas_shape() {
        let vectors = include_str!("../../../../../testdata/vectors/meta.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let requests = vectors["requests"].as_array().unwrap();
        assert!(requests.len() >= 8);
        for request in requests {
            assert_eq!(
                posted(request["content"].clone()),
                request["posted"],
                "{}",
                request["name"]
            );
        }
    }

    #[test]
    fn a_template_of_before_headers_and_buttons_is_still_read() {
        let old = json!({"type": "template", "name": "a", "language": "en_US", "body": []});
        assert_eq!(
            posted(old)["template"],
            json!({"name": "a", "language": {"code": "en_US"}})
        );
    }
}
