//! `POST /_simulator/whatsapp/inbound`: somebody writes to a number. `POST /_simulator/whatsapp/change`: any other change
//! that a callback may tell of, as it stands.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::callback::{SIGNATURE, display_number, sign};
use crate::draws::digest;
use crate::simulator::Simulator;

/// What somebody writes. Who has a username may show the business no number, only an id for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// The business number written to.
    phone_number_id: String,
    /// Digits only.
    from: Option<String>,
    /// The id of the person for this business: `US.13491208655302741918`.
    user_id: Option<String>,
    /// The name of the person's profile.
    name: Option<String>,
    /// A text …
    text: Option<String>,
    /// … or the parts of another message: `{"type": "image", "image": {…}}`.
    message: Option<Map<String, Value>>,
    /// The id of the message; one is made of the rest unless given.
    id: Option<String>,
}

/// A change of a callback.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// `user_preferences`, `message_template_status_update`, …
    field: String,
    /// The business number that it is about, if it is about one.
    phone_number_id: Option<String>,
    value: Map<String, Value>,
}

/// Tells of a message, signed, and says how that was answered.
pub(crate) async fn write(State(simulator): State<Simulator>, Json(written): Json<Written>) -> Response {
    if written.from.is_none() && written.user_id.is_none() {
        return refused("somebody has to write: `from` or `user_id`");
    }
    let at = simulator.now().timestamp().to_string();
    let change = Change {
        field: "messages".to_owned(),
        phone_number_id: Some(written.phone_number_id.clone()),
        value: written.value(&at),
    };
    tell(&simulator, change).await
}

/// Tells of a change, signed, and says how that was answered.
pub(crate) async fn change(State(simulator): State<Simulator>, Json(change): Json<Change>) -> Response {
    tell(&simulator, change).await
}

async fn tell(simulator: &Simulator, change: Change) -> Response {
    let Some(url) = simulator.settings().callback_url.clone() else {
        return refused("there is nobody to tell: no callback URL is set");
    };
    let body = change.callback(&simulator.settings().business_account_id);
    let request = simulator
        .client()
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(SIGNATURE, sign(simulator.settings(), &body))
        .body(body);
    match request.send().await {
        Ok(answer) => Json(json!({ "status": answer.status().as_u16() })).into_response(),
        Err(error) => {
            let error = error.without_url().to_string();
            (StatusCode::BAD_GATEWAY, Json(json!({ "error": error }))).into_response()
        }
    }
}

fn refused(text: &str) -> Response {
    (StatusCode::CONFLICT, Json(json!({ "error": text }))).into_response()
}

impl Written {
    fn value(&self, at: &str) -> Map<String, Value> {
        let mut message = self.message.clone().unwrap_or_else(|| {
            let text = json!({"type": "text", "text": {"body": self.text.as_deref().unwrap_or_default()}});
            text.as_object().cloned().unwrap_or_default()
        });
        let mut contact = Map::new();
        for (of_message, of_contact, who) in [
            ("from", "wa_id", &self.from),
            ("from_user_id", "user_id", &self.user_id),
        ] {
            if let Some(who) = who {
                message.insert(of_message.to_owned(), json!(who));
                contact.insert(of_contact.to_owned(), json!(who));
            }
        }
        let name = self.name.as_deref().unwrap_or("Somebody");
        contact.insert("profile".to_owned(), json!({ "name": name }));
        message.insert("id".to_owned(), json!(self.id(&message)));
        message.insert("timestamp".to_owned(), json!(at));
        let mut value = Map::new();
        value.insert("contacts".to_owned(), json!([contact]));
        value.insert("messages".to_owned(), json!([message]));
        value
    }

    /// The same message has the same id.
    fn id(&self, message: &Map<String, Value>) -> String {
        let written = Value::from(message.clone()).to_string();
        let made = || {
            let random = digest(0, &["inbound", &self.phone_number_id, &written]);
            format!("wamid.{}", hex::encode(&random[..16]))
        };
        self.id.clone().unwrap_or_else(made)
    }
}

impl Change {
    fn callback(self, business: &str) -> Vec<u8> {
        let mut value = self.value;
        if let Some(number) = &self.phone_number_id {
            let metadata = json!({"display_phone_number": display_number(number), "phone_number_id": number});
            value.insert("messaging_product".to_owned(), json!("whatsapp"));
            value.insert("metadata".to_owned(), metadata);
        }
        let change = json!({"field": self.field, "value": value});
        json!({"object": "whatsapp_business_account", "entry": [{"id": business, "changes": [change]}]})
            .to_string()
            .into_bytes()
    }
}
