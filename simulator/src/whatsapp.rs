//! The WhatsApp Cloud API: `POST /{version}/{phone number id}/messages`.

pub(crate) mod callback;
mod error;
mod inbound;
mod request;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, header};
use plaza_telemetry::trace::{self, TraceContext};
use secrecy::ExposeSecret;
use serde_json::json;
use tracing::Instrument;

use crate::draws::Draws;
use crate::ledger::{Answer, Decision, Submission};
use crate::simulator::Simulator;

use error::MetaError;
use request::{MessageRequest, Submitted};

/// Which trace a request belongs to (W3C Trace Context).
pub(crate) const TRACEPARENT: &str = "traceparent";

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .route(
            "/{version}/{phone_number_id}/messages",
            post(send).fallback(unknown_path),
        )
        .route("/_simulator/whatsapp/inbound", post(inbound::write))
        .route("/_simulator/whatsapp/change", post(inbound::change))
        .fallback(unknown_path)
}

async fn unknown_path() -> MetaError {
    MetaError::unknown_path()
}

/// Accepts a message, or refuses it as WhatsApp would. Unlike there, what is accepted stays in its trace.
async fn send(
    State(simulator): State<Simulator>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let span = tracing::info_span!("simulator.accept", otel.kind = "server");
    trace::follow(&span, came_in(&headers));
    answer(&simulator, path, &headers, &body).instrument(span).await
}

pub(crate) fn came_in(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::parse(headers.get(TRACEPARENT)?.to_str().ok()?)
}

async fn answer(
    simulator: &Simulator,
    (version, phone_number_id): (String, String),
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let read = authenticated(simulator, headers)
        .and_then(|()| request::check_path(&version, &phone_number_id))
        .and_then(|()| MessageRequest::read(body))
        .and_then(|request| request.checked(phone_number_id));
    match read {
        Ok(Submitted::Message {
            input,
            mut submission,
        }) => {
            // Where nobody keeps traces, what came in is passed on as it is.
            submission.trace = trace::current().or_else(|| came_in(headers));
            submit(simulator, input, *submission).await
        }
        Ok(Submitted::ReadReceipt) => axum::Json(json!({ "success": true })).into_response(),
        Err(error) => match simulator.ledger().refuse(None, error.code()) {
            Ok(()) => error.into_response(),
            Err(failure) => cannot_write(&failure),
        },
    }
}

/// A token must be there, and be the right one where one is set.
fn authenticated(simulator: &Simulator, headers: &HeaderMap) -> Result<(), MetaError> {
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    let expected = simulator.settings().access_token.as_ref();
    let wrong = expected.is_some_and(|expected| {
        aws_lc_rs::constant_time::verify_slices_are_equal(
            expected.expose_secret().as_bytes(),
            token.as_bytes(),
        )
        .is_err()
    });
    if token.is_empty() || wrong {
        Err(MetaError::invalid_token())
    } else {
        Ok(())
    }
}

async fn submit(simulator: &Simulator, input: String, submission: Submission) -> Response {
    let to = submission.to.clone();
    let delay = answer_delay(simulator, &submission);
    let decision = match simulator.accept(submission) {
        Ok(decision) => decision,
        Err(failure) => return cannot_write(&failure),
    };
    tokio::time::sleep(delay).await;
    match decision {
        Decision::Refused(code) => MetaError::of(code).into_response(),
        Decision::Cut
        | Decision::Accepted {
            answer: Answer::None, ..
        } => cut(),
        Decision::Accepted { wamid, answer, .. } => {
            if answer == Answer::Stalled {
                tokio::time::sleep(Duration::from_millis(simulator.settings().stall_milliseconds)).await;
            }
            accepted(&input, &to, &wamid)
        }
    }
}

pub(crate) fn answer_delay(simulator: &Simulator, submission: &Submission) -> Duration {
    let settings = simulator.settings();
    let name = submission.reference.as_deref().unwrap_or(&submission.to);
    Duration::from_millis(Draws::new(settings.seed, &["answer", name]).between(settings.answer_milliseconds))
}

fn accepted(input: &str, wa_id: &str, wamid: &str) -> Response {
    axum::Json(json!({
        "messaging_product": "whatsapp",
        "contacts": [{ "input": input, "wa_id": wa_id }],
        "messages": [{ "id": wamid, "message_status": "accepted" }],
    }))
    .into_response()
}

/// A body that breaks before its first byte makes the server close the connection with nothing written.
pub(crate) fn cut() -> Response {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "cut on purpose");
    Response::new(Body::from_stream(futures_util::stream::once(async {
        Err::<Bytes, _>(broken)
    })))
}

/// What is not written down is not accepted.
fn cannot_write(failure: &crate::JournalError) -> Response {
    tracing::error!(
        error = failure as &dyn std::error::Error,
        "cannot write down a message"
    );
    MetaError::of(131_000).into_response()
}
