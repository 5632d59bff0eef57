//! Errors in Meta's shape.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// An error as the Graph API answers it.
#[derive(Debug)]
pub(crate) struct MetaError {
    status: u16,
    code: u32,
    message: String,
    details: Option<String>,
}

impl MetaError {
    /// An error of the WhatsApp API by its code.
    pub(crate) fn of(code: u32) -> Self {
        Self::detailed(code, details(code))
    }

    /// The same, saying what exactly is wrong.
    pub(crate) fn detailed(code: u32, details: impl Into<String>) -> Self {
        let (status, title) = status_and_title(code);
        Self {
            status,
            code,
            message: format!("(#{code}) {title}"),
            details: Some(details.into()),
        }
    }

    pub(crate) fn invalid_token() -> Self {
        Self::graph(
            401,
            190,
            "Invalid OAuth access token - Cannot parse access token".to_owned(),
        )
    }

    pub(crate) fn unknown_path() -> Self {
        Self::graph(404, 2_500, "Unknown path components".to_owned())
    }

    pub(crate) fn unknown_object(id: &str) -> Self {
        let message = format!(
            "Unsupported post request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
             permissions, or does not support this operation"
        );
        Self::graph(400, 100, message)
    }

    /// Errors of the layer below WhatsApp have no `error_data`.
    fn graph(status: u16, code: u32, message: String) -> Self {
        Self {
            status,
            code,
            message,
            details: None,
        }
    }

    pub(crate) fn code(&self) -> u32 {
        self.code
    }
}

impl IntoResponse for MetaError {
    fn into_response(self) -> Response {
        let mut error = json!({ "message": self.message, "type": "OAuthException", "code": self.code });
        if let Some(details) = self.details {
            error["error_data"] = json!({ "messaging_product": "whatsapp", "details": details });
        }
        error["fbtrace_id"] = format!("Asimulated{:06}", self.code).into();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(json!({ "error": error }))).into_response()
    }
}

/// The error in `errors[]` of a failed status.
pub(crate) fn in_status(code: u32) -> Value {
    let (_, title) = status_and_title(code);
    json!({
        "code": code,
        "title": title,
        "message": title,
        "error_data": { "details": details(code) },
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
    })
}

/// HTTP status and title of a code.
fn status_and_title(code: u32) -> (u16, &'static str) {
    match code {
        0 => (401, "AuthException"),
        2 => (503, "API Service"),
        4 => (400, "API Too Many Calls"),
        10 => (403, "Permission Denied"),
        100 => (400, "Invalid parameter"),
        190 => (401, "Access token has expired"),
        368 => (403, "Temporarily blocked for policies violations"),
        80_007 => (400, "Rate limit issues"),
        130_429 => (429, "Rate limit hit"),
        130_472 => (400, "User's number is part of an experiment"),
        130_497 => (
            403,
            "Business account is restricted from messaging users in this country",
        ),
        131_000 => (500, "Something went wrong"),
        131_005 => (403, "Access denied"),
        131_008 => (400, "Required parameter is missing"),
        131_009 => (400, "Parameter value is not valid"),
        131_016 => (503, "Service unavailable"),
        131_021 => (400, "Recipient cannot be sender"),
        131_026 => (400, "Message undeliverable"),
        131_031 => (403, "Business Account locked"),
        131_042 => (400, "Business eligibility payment issue"),
        131_045 => (500, "Incorrect certificate"),
        131_047 => (400, "Re-engagement message"),
        131_048 => (400, "Spam rate limit hit"),
        131_049 => (400, "Meta chose not to deliver"),
        131_050 => (400, "User has stopped marketing messages"),
        131_051 => (400, "Unsupported message type"),
        131_056 => (400, "(Business Account, Consumer Account) pair rate limit hit"),
        131_057 => (500, "Business Account is in maintenance mode"),
        132_000 => (400, "Number of parameters does not match"),
        132_001 => (404, "Template name does not exist in the translation"),
        132_005 => (400, "Template hydrated text too long"),
        132_007 => (400, "Template format character policy violated"),
        132_012 => (
            400,
            "Parameter format does not match format in the created template",
        ),
        132_015 => (400, "Template is paused"),
        132_016 => (400, "Template is disabled"),
        133_004 => (503, "Server temporarily unavailable"),
        133_010 => (400, "Phone number not registered"),
        _ => (400, "Simulated error"),
    }
}

fn details(code: u32) -> String {
    match code {
        130_429 => "Message failed to send because there were too many messages sent from this phone number in a short \
                    period of time",
        131_026 => "Message undeliverable.",
        131_047 => "Message failed to send because more than 24 hours have passed since the customer last replied to \
                    this number.",
        131_056 => "Message failed to send because there were too many messages sent from this phone number to the \
                    same phone number in a short period of time.",
        _ => return format!("simulated: {}", status_and_title(code).1),
    }
    .to_owned()
}
