//! What is asked for, checked as WhatsApp checks it. Fields that are not known here pass, as they do there.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ledger::{Submission, SubmittedContent};
use crate::messages::Provider;
use crate::whatsapp::error::MetaError;

const LONGEST_REFERENCE: usize = 512;
const LONGEST_TEXT: usize = 4_096;
const LONGEST_TEMPLATE_NAME: usize = 512;

/// The body of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct MessageRequest<'a> {
    messaging_product: Option<String>,
    recipient_type: Option<String>,
    to: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    biz_opaque_callback_data: Option<String>,
    #[serde(borrow)]
    template: Option<Template<'a>>,
    text: Option<Text>,
    status: Option<String>,
    message_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Template<'a> {
    name: Option<String>,
    language: Option<Language>,
    #[serde(borrow)]
    components: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Language {
    code: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Text {
    body: Option<String>,
}

/// A request that is well formed.
pub(crate) enum Submitted {
    /// A message to send. `input` is the number as it was given.
    Message {
        input: String,
        submission: Box<Submission>,
    },
    /// An incoming message was read; nothing is sent.
    ReadReceipt,
}

/// The version is `v` and a number; the phone number's id is digits.
pub(crate) fn check_path(version: &str, phone_number_id: &str) -> Result<(), MetaError> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (major, minor) = version
        .strip_prefix('v')
        .and_then(|number| number.split_once('.'))
        .unwrap_or_default();
    if !digits(major) || !digits(minor) {
        return Err(MetaError::unknown_path());
    }
    if !digits(phone_number_id) {
        return Err(MetaError::unknown_object(phone_number_id));
    }
    Ok(())
}

impl<'a> MessageRequest<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, MetaError> {
        serde_json::from_slice(body).map_err(|error| {
            MetaError::detailed(
                100,
                format!("The body is not a message in JSON: line {}", error.line()),
            )
        })
    }

    pub(crate) fn checked(self, phone_number_id: String) -> Result<Submitted, MetaError> {
        if self.messaging_product.as_deref() != Some("whatsapp") {
            return Err(missing("messaging_product"));
        }
        if self.status.as_deref() == Some("read") {
            self.message_id.ok_or_else(|| missing("message_id"))?;
            return Ok(Submitted::ReadReceipt);
        }
        if self
            .recipient_type
            .as_deref()
            .is_some_and(|kind| kind != "individual")
        {
            return Err(MetaError::detailed(131_009, "recipient_type must be individual"));
        }
        let input = self.to.filter(|to| !to.is_empty()).ok_or_else(|| missing("to"))?;
        let to = digits_of(&input)?;
        let reference = self.biz_opaque_callback_data;
        if reference
            .as_ref()
            .is_some_and(|reference| reference.chars().count() > LONGEST_REFERENCE)
        {
            return Err(MetaError::detailed(
                131_009,
                "biz_opaque_callback_data is longer than 512 characters",
            ));
        }
        let content = match self.kind.as_deref().unwrap_or("text") {
            "template" => self.template.ok_or_else(|| missing("template"))?.checked()?,
            "text" => self.text.ok_or_else(|| missing("text"))?.checked()?,
            _ => return Err(MetaError::of(131_051)),
        };
        Ok(Submitted::Message {
            input,
            submission: Box::new(Submission {
                phone_number_id,
                to,
                reference,
                content,
                trace: None,
                provider: Provider::Meta,
            }),
        })
    }
}

impl Template<'_> {
    fn checked(self) -> Result<SubmittedContent, MetaError> {
        let name = self
            .name
            .filter(|name| !name.is_empty())
            .ok_or_else(|| missing("template['name']"))?;
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.len() > LONGEST_TEMPLATE_NAME || !name.bytes().all(known) {
            return Err(MetaError::detailed(
                132_001,
                "a template's name is made of a-z, 0-9 and _",
            ));
        }
        let language = self
            .language
            .and_then(|language| language.code)
            .filter(|code| !code.is_empty());
        let language = language.ok_or_else(|| missing("template['language']['code']"))?;
        let components = self.components.map_or("[]", RawValue::get);
        check_components(components)?;
        Ok(SubmittedContent::Template {
            name,
            language,
            components: components.to_owned(),
        })
    }
}

impl Text {
    fn checked(self) -> Result<SubmittedContent, MetaError> {
        let body = self
            .body
            .filter(|body| !body.is_empty())
            .ok_or_else(|| missing("text['body']"))?;
        if body.chars().count() > LONGEST_TEXT {
            return Err(MetaError::detailed(
                100,
                "Param text['body'] must be at most 4096 characters long.",
            ));
        }
        Ok(SubmittedContent::Text { body })
    }
}

/// Components are a list of `header`, `body` or `button`, each with a list of typed parameters.
fn check_components(text: &str) -> Result<(), MetaError> {
    let invalid = |details: &str| MetaError::detailed(131_009, details);
    let components: Vec<Value> =
        serde_json::from_str(text).map_err(|_| invalid("template['components'] must be a list"))?;
    for component in &components {
        let kind = component["type"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if !matches!(kind.as_str(), "header" | "body" | "button") {
            return Err(invalid(
                "a component's type must be one of {HEADER, BODY, BUTTON}",
            ));
        }
        let none = Vec::new();
        let parameters = match &component["parameters"] {
            Value::Null => &none,
            list => list
                .as_array()
                .ok_or_else(|| invalid("a component's parameters must be a list"))?,
        };
        parameters.iter().try_for_each(check_parameter)?;
    }
    Ok(())
}

fn check_parameter(parameter: &Value) -> Result<(), MetaError> {
    match parameter["type"].as_str() {
        None => Err(MetaError::detailed(131_008, "a parameter's type is missing")),
        Some("text") => {
            let text = parameter["text"].as_str().filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| {
                MetaError::detailed(131_008, "Parameter of type text is missing text value")
            })?;
            if text.contains(['\n', '\r', '\t']) || text.contains("     ") {
                return Err(MetaError::detailed(
                    100,
                    "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
                ));
            }
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

/// Numbers may be written with a plus, spaces, dashes and brackets.
fn digits_of(input: &str) -> Result<String, MetaError> {
    let digits: String = input
        .chars()
        .filter(|letter| !matches!(letter, '+' | ' ' | '-' | '(' | ')' | '.'))
        .collect();
    let good = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if good {
        Ok(digits)
    } else {
        Err(MetaError::detailed(131_009, "to is not a phone number"))
    }
}

fn missing(parameter: &str) -> MetaError {
    MetaError::detailed(100, format!("The parameter {parameter} is required."))
}
