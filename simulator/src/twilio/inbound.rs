//! `POST /_simulator/twilio/inbound`: somebody writes to a number.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::callback::{Callback, SIGNATURE};
use crate::draws::digest;
use crate::simulator::Simulator;

/// What somebody writes, and where the number's messages go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// The address that the number was told to pass messages on to.
    url: String,
    /// The account that the number belongs to; a message has to have been sent from it before.
    account_sid: String,
    /// In E.164.
    from: String,
    /// The number written to.
    to: String,
    body: String,
    /// `STOP`, `START` or `HELP`, where Twilio deals with keywords itself.
    opt_out_type: Option<String>,
    /// The id of the message; one is made of the rest unless given.
    message_sid: Option<String>,
}

/// Passes it on, signed, and tells how that was answered.
pub(crate) async fn write(State(simulator): State<Simulator>, Json(written): Json<Written>) -> Response {
    let refused = |text: &str| (StatusCode::CONFLICT, Json(json!({ "error": text }))).into_response();
    if !simulator.settings().may_call(&written.url) {
        return refused("callbacks do not go there");
    }
    let Some(token) = simulator.ledger().token_of(&written.account_sid).cloned() else {
        return refused("nothing was sent from this account yet, so its token is not known");
    };
    let callback = Callback::signed(written.url.clone(), &written.fields(&written.sid()), &token);
    let request = simulator
        .client()
        .post(&callback.url)
        .header(
            header::CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .header(SIGNATURE, callback.signature)
        .body(callback.body);
    match request.send().await {
        Ok(answer) => Json(json!({ "status": answer.status().as_u16() })).into_response(),
        Err(error) => {
            let error = error.without_url().to_string();
            (StatusCode::BAD_GATEWAY, Json(json!({ "error": error }))).into_response()
        }
    }
}

impl Written {
    /// The same message has the same id.
    fn sid(&self) -> String {
        let made = || super::sid(&digest(0, &["inbound", &self.from, &self.to, &self.body]));
        self.message_sid.clone().unwrap_or_else(made)
    }

    fn fields<'a>(&'a self, sid: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![
            ("ToCountry", "US"),
            ("SmsMessageSid", sid),
            ("NumMedia", "0"),
            ("SmsSid", sid),
            ("SmsStatus", "received"),
            ("Body", &self.body),
            ("To", &self.to),
            ("NumSegments", "1"),
            ("MessageSid", sid),
            ("AccountSid", &self.account_sid),
            ("From", &self.from),
            ("ApiVersion", "2010-04-01"),
        ];
        if let Some(kind) = &self.opt_out_type {
            fields.push(("OptOutType", kind));
        }
        fields
    }
}
