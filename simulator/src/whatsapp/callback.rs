//! Callbacks in the shape of WhatsApp's webhooks, and their signature.

use aws_lc_rs::hmac;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::messages::Message;
use crate::plan::{Status, Step};
use crate::settings::SimulatorSettings;
use crate::whatsapp::error;

/// The header of the signature.
pub(crate) const SIGNATURE: &str = "x-hub-signature-256";

/// Meta promises neither one status in a change nor one change in an entry, so larger callbacks have several of
/// each: who reads only the first of anything is found out.
const STATUSES_IN_A_CHANGE: usize = 3;
const CHANGES_IN_AN_ENTRY: usize = 2;

/// `sha256=` and the hex of HMAC-SHA-256 of the body as it is sent, under the app secret.
pub(crate) fn sign(settings: &SimulatorSettings, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, settings.app_secret.expose_secret().as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}

/// A callback request that is being put together.
pub(crate) struct Callback<'a> {
    account: &'a str,
    /// The business number of each, with its statuses.
    changes: Vec<(String, Vec<Value>)>,
}

impl<'a> Callback<'a> {
    pub(crate) fn new(settings: &'a SimulatorSettings) -> Self {
        Self {
            account: &settings.business_account_id,
            changes: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, message: &Message, step: &Step) {
        let number = &*message.phone_number_id;
        let open = self.changes.iter_mut().rev().find(|(known, _)| known == number);
        match open {
            Some((_, statuses)) if statuses.len() < STATUSES_IN_A_CHANGE => {
                statuses.push(status(message, step))
            }
            _ => self
                .changes
                .push((number.to_owned(), vec![status(message, step)])),
        }
    }

    pub(crate) fn into_body(self) -> Vec<u8> {
        let changes: Vec<Value> = self
            .changes
            .into_iter()
            .map(|(number, statuses)| change(&number, &statuses))
            .collect();
        let entries: Vec<Value> = changes
            .chunks(CHANGES_IN_AN_ENTRY)
            .map(|changes| json!({ "id": self.account, "changes": changes }))
            .collect();
        json!({ "object": "whatsapp_business_account", "entry": entries })
            .to_string()
            .into_bytes()
    }
}

fn change(phone_number_id: &str, statuses: &[Value]) -> Value {
    json!({
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": display_number(phone_number_id),
                "phone_number_id": phone_number_id,
            },
            "statuses": statuses,
        },
    })
}

/// The simulator knows no business numbers; it makes one up from the id.
pub(crate) fn display_number(phone_number_id: &str) -> String {
    let last = phone_number_id
        .get(phone_number_id.len().saturating_sub(7)..)
        .unwrap_or(phone_number_id);
    format!("1555{last:0>7}")
}

fn status(message: &Message, step: &Step) -> Value {
    let happened = message.at + chrono::TimeDelta::milliseconds(step.happened.into());
    let mut status = json!({
        "id": message.wamid,
        "status": step.status.word(),
        "timestamp": happened.timestamp().to_string(),
        "recipient_id": message.to,
    });
    if let Some(reference) = &message.reference {
        status["biz_opaque_callback_data"] = Value::from(&**reference);
    }
    match step.status {
        Status::Failed(code) => status["errors"] = json!([error::in_status(code)]),
        Status::Sent | Status::Delivered => {
            status["pricing"] = json!({ "billable": true, "pricing_model": "PMP", "category": "marketing", "type": "regular" });
        }
        Status::Read => {}
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    // The published vectors: key `secret`, body `test`; key `app-secret`, body as below.
    #[test]
    fn the_signature_has_the_published_vectors() {
        let signed = |secret: &str, body: &[u8]| {
            let settings = SimulatorSettings {
                app_secret: secret.into(),
                ..SimulatorSettings::default()
            };
            sign(&settings, body)
        };
        assert_eq!(
            signed("secret", b"test"),
            "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"
        );
        assert_eq!(
            signed("app-secret", br#"{"object":"whatsapp_business_account"}"#),
            "sha256=0bf7374433906636bed1653bc7c64affb42fa5da9a39e251ab95c2e3a9c06923"
        );
    }
}
