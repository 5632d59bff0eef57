//! The request that hands over a message. No I/O here.

use plaza_contracts::events::MessageContent;
use serde::Serialize;

use crate::providers::Outgoing;

#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    to: &'a str,
    r#type: &'static str,
    biz_opaque_callback_data: String,
    template: Template<'a>,
}

#[derive(Debug, Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

#[derive(Debug, Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Debug, Serialize)]
struct Component<'a> {
    r#type: &'static str,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Debug, Serialize)]
struct Parameter<'a> {
    r#type: &'static str,
    text: &'a str,
}

impl<'a> Request<'a> {
    pub(super) fn of(message: &'a Outgoing) -> Self {
        let MessageContent::Template { name, language, body } = &message.content;
        let parameters: Vec<_> = body
            .iter()
            .map(|text| Parameter { r#type: "text", text })
            .collect();
        let body = (!parameters.is_empty()).then_some(Component {
            r#type: "body",
            parameters,
        });
        Self {
            messaging_product: "whatsapp",
            recipient_type: "individual",
            to: message.to.trim_start_matches('+'),
            r#type: "template",
            biz_opaque_callback_data: message.reference.to_string(),
            template: Template {
                name,
                language: Language { code: language },
                components: body.into_iter().collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::ids::MessageId;
    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn a_template_message_has_metas_shape() {
        let reference = MessageId::generate(&Clock::system());
        let message = Outgoing {
            reference,
            to: "+12015550123".to_owned(),
            content: MessageContent::Template {
                name: "order_update_v1".to_owned(),
                language: "en_US".to_owned(),
                body: vec!["Alex".to_owned()],
            },
        };
        assert_eq!(
            serde_json::to_value(Request::of(&message)).unwrap(),
            serde_json::json!({
                "messaging_product": "whatsapp", "recipient_type": "individual", "to": "12015550123",
                "type": "template", "biz_opaque_callback_data": reference.to_string(),
                "template": {"name": "order_update_v1", "language": {"code": "en_US"},
                    "components": [{"type": "body", "parameters": [{"type": "text", "text": "Alex"}]}]},
            }),
        );
    }
}
