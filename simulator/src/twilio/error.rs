//! Errors in Twilio's shape.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// An error as the API answers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwilioError {
    code: u32,
}

impl TwilioError {
    /// An error by its code.
    pub(crate) const fn of(code: u32) -> Self {
        Self { code }
    }

    pub(crate) const fn code(self) -> u32 {
        self.code
    }
}

impl IntoResponse for TwilioError {
    fn into_response(self) -> Response {
        let (status, message) = status_and_message(self.code);
        let body = json!({
            "code": self.code,
            "message": message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": status,
        });
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(body)).into_response()
    }
}

fn status_and_message(code: u32) -> (u16, &'static str) {
    match code {
        20_003 => (401, "Authenticate"),
        20_005 => (403, "Account not active"),
        20_404 => (404, "The requested resource was not found"),
        20_429 => (429, "Too Many Requests"),
        20_500 => (500, "Internal Server Error"),
        20_503 => (503, "Service Unavailable"),
        21_211 => (400, "The 'To' number is not a valid phone number."),
        21_212 => (
            400,
            "The 'From' number is not a valid phone number, shortcode, or alphanumeric sender ID.",
        ),
        21_408 => (
            400,
            "Permission to send an SMS has not been enabled for the region of the 'To' number.",
        ),
        21_602 => (400, "Message body is required."),
        21_603 => (400, "A 'From' phone number is required."),
        21_604 => (400, "A 'To' phone number is required."),
        21_606 => (
            400,
            "The 'From' phone number is not a valid, message-capable number for this account.",
        ),
        21_609 => (400, "The 'StatusCallback' URL is not a valid URL."),
        21_610 => (400, "Attempt to send to unsubscribed recipient"),
        21_611 => (
            400,
            "This 'From' number has exceeded the maximum number of queued messages",
        ),
        21_612 => (
            400,
            "The 'To' number is not currently reachable using this 'From' number via SMS.",
        ),
        21_614 => (400, "The 'To' number is not a valid mobile number."),
        21_617 => (
            400,
            "The concatenated message body exceeds the 1600 character limit.",
        ),
        _ => (400, "Simulated error"),
    }
}

/// The code with which a message to one of the magic numbers (digits only) is refused.
pub(crate) fn magic_recipient(to: &str) -> Option<u32> {
    Some(match to {
        "15005550001" => 21_211,
        "15005550002" => 21_612,
        "15005550003" => 21_408,
        "15005550004" => 21_610,
        "15005550009" => 21_614,
        _ => return None,
    })
}

/// The same for the number that it comes from; `+15005550006` is the good one.
pub(crate) fn magic_origin(from: &str) -> Option<u32> {
    Some(match from {
        "+15005550001" => 21_212,
        "+15005550007" => 21_606,
        "+15005550008" => 21_611,
        _ => return None,
    })
}

/// What Twilio says where WhatsApp has this code; one of Twilio's own stays as it is.
pub(crate) fn in_twilio(code: u32) -> u32 {
    match code {
        20_000..=69_999 => code,
        130_429 | 131_056 => 20_429,
        131_000 => 20_500,
        131_016 => 20_503,
        190 => 20_003,
        131_031 | 131_048 => 20_005,
        131_009 => 21_211,
        131_026 => 30_003,
        131_047 | 131_050 => 30_004,
        131_049 | 130_472 => 30_007,
        _ => 30_008,
    }
}
