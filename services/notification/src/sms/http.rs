//! `/webhooks/twilio`: Twilio's callbacks.
//!
//! What a callback tells is written down before the answer: what we answered 2xx to is kept, and what we did not Twilio tells
//! again or, of a message that somebody wrote, to the address that is named there for such cases.

use std::time::Duration;

use axum::extract::{Request, State as Service};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use plaza_contracts::ids::SenderId;
use plaza_kernel::{Caller, PermissionSet};
use plaza_web::{ApiError, ApiErrors, Denied, Granted, Path, RouteLimits, Rule, RuleText};

use super::callback::BODY;
use super::{inbound, status};
use crate::Notification;
use crate::conversations::take::To;
use crate::senders::SMS;

/// What a callback may cost: Twilio waits fifteen seconds for an answer.
pub(crate) const LIMITS: RouteLimits = RouteLimits {
    body: BODY,
    deadline: Duration::from_secs(10),
};

/// No reply of ours to what was written, in Twilio's markup: replies go out as messages.
const NO_REPLY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// Whoever signs with the token of the sender that the path names. The handler checks: the signature is over the body.
pub(crate) struct TwilioSignature;

impl Rule for TwilioSignature {
    fn text() -> RuleText {
        RuleText {
            text: "signature".to_owned(),
            authenticated: false,
        }
    }

    fn decide(_: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        Ok(())
    }
}

/// Take a status callback of Twilio's: what became of a message.
#[utoipa::path(post, path = "/webhooks/twilio/status/{sender}", tag = "webhooks",
    operation_id = "receive_twilio_status",
    params(("sender" = SenderId, Path), ("m" = Option<String>, Query, description = "Our message")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 204, description = "Kept"), ApiErrors))]
pub(crate) async fn receive_twilio_status(
    Service(notification): Service<Notification>,
    _granted: Granted<TwilioSignature>,
    Path(sender): Path<SenderId>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let callback = notification.read_twilio(sender, request).await?;
    let now = notification.inner.clock.now();
    let told = callback
        .message
        .and_then(|message| status::receipt(&callback.form, message, now));
    if let Some(receipt) = told {
        notification.apply_receipts(callback.tenant, &[receipt]).await?;
        metrics::counter!("plaza_receipts_total").increment(1);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Take what a person wrote to a sender of text messages.
#[utoipa::path(post, path = "/webhooks/twilio/inbound/{sender}", tag = "webhooks",
    operation_id = "receive_twilio_message", params(("sender" = SenderId, Path)),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Kept; answered with no reply", content_type = "text/xml", body = String),
        ApiErrors))]
pub(crate) async fn receive_twilio_message(
    Service(notification): Service<Notification>,
    _granted: Granted<TwilioSignature>,
    Path(sender): Path<SenderId>,
    request: Request,
) -> Result<Response, ApiError> {
    let callback = notification.read_twilio(sender, request).await?;
    let written = inbound::written(&callback.form, notification.inner.clock.now());
    let to = To {
        sender: callback.sender,
        channel: SMS,
    };
    let written = written.as_slice();
    notification.take_inbound(callback.tenant, to, written).await?;
    Ok(([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], NO_REPLY).into_response())
}
