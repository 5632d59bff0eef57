//! Twilio's Programmable Messaging: `POST /2010-04-01/Accounts/{sid}/Messages.json`.
//!
//! Whoever names an account has it: its token is the password of the request, and signs the account's callbacks. The magic
//! numbers of Twilio's test credentials are refused as they are there; other faults are chosen as those of WhatsApp are, with
//! the codes that Twilio has for them.

pub(crate) mod callback;
mod error;
mod inbound;
mod request;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use plaza_telemetry::trace::{self, TraceContext};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

use crate::faults::Fault;
use crate::ledger::{Answer, Decision};
use crate::plan::{Status, Step};
use crate::settings::SimulatorSettings;
use crate::simulator::Simulator;
use crate::whatsapp::{answer_delay, came_in, cut};

use error::TwilioError;
use request::{Text, is_sid};

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .route("/2010-04-01/Accounts/{sid}/Messages.json", post(send))
        .route("/_simulator/twilio/inbound", post(inbound::write))
}

/// Accepts a text message, or refuses it as Twilio would.
async fn send(
    State(simulator): State<Simulator>,
    Path(sid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let span = tracing::info_span!("simulator.accept", otel.kind = "server");
    trace::follow(&span, came_in(&headers));
    answer(&simulator, &sid, &headers, &body).instrument(span).await
}

async fn answer(simulator: &Simulator, sid: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let read = authenticated(simulator, sid, headers).and_then(|token| {
        let text = Text::read(body)?;
        text.check(simulator.settings())?;
        Ok((token, text))
    });
    let noted = match &read {
        Ok((token, _)) => simulator.ledger().note_account(sid, token),
        Err(error) => simulator.ledger().refuse(None, error.code()),
    };
    match (noted, read) {
        (Err(failure), _) => cannot_write(&failure),
        (Ok(()), Ok((_, text))) => submit(simulator, sid, text, came_in(headers)).await,
        (Ok(()), Err(error)) => error.into_response(),
    }
}

/// The account of the path with its token: there must be one, and the right one where one is set.
fn authenticated(simulator: &Simulator, sid: &str, headers: &HeaderMap) -> Result<SecretString, TwilioError> {
    let (name, password) = credentials(headers).ok_or(TwilioError::of(20_003))?;
    let expected = simulator.settings().access_token.as_ref();
    let wrong = expected.is_some_and(|expected| {
        aws_lc_rs::constant_time::verify_slices_are_equal(
            expected.expose_secret().as_bytes(),
            password.as_bytes(),
        )
        .is_err()
    });
    if name != sid || password.is_empty() || wrong {
        return Err(TwilioError::of(20_003));
    }
    if !is_sid(sid, "AC") {
        return Err(TwilioError::of(20_404));
    }
    Ok(password.into())
}

/// Name and password of HTTP's Basic scheme (RFC 7617).
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = value.split_once(' ')?;
    let given = STANDARD.decode(given.trim()).ok()?;
    let given = String::from_utf8(given).ok()?;
    let (name, password) = given.split_once(':')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| (name.to_owned(), password.to_owned()))
}

async fn submit(simulator: &Simulator, sid: &str, text: Text, trace: Option<TraceContext>) -> Response {
    let sent = text.sent();
    let mut submission = text.submission(sid);
    submission.trace = trace::current().or(trace);
    let delay = answer_delay(simulator, &submission);
    let decision = match simulator.accept(submission) {
        Ok(decision) => decision,
        Err(failure) => return cannot_write(&failure),
    };
    tokio::time::sleep(delay).await;
    match decision {
        Decision::Refused(code) => TwilioError::of(code).into_response(),
        Decision::Cut
        | Decision::Accepted {
            answer: Answer::None, ..
        } => cut(),
        Decision::Accepted { wamid, answer, .. } => {
            if answer == Answer::Stalled {
                let stall = simulator.settings().stall_milliseconds;
                tokio::time::sleep(std::time::Duration::from_millis(stall)).await;
            }
            let message = request::resource(sid, &wamid, &sent, simulator.now());
            (StatusCode::CREATED, Json(message)).into_response()
        }
    }
}

/// What is not written down is not accepted.
fn cannot_write(failure: &crate::JournalError) -> Response {
    tracing::error!(
        error = failure as &dyn std::error::Error,
        "cannot write down a text message"
    );
    TwilioError::of(20_500).into_response()
}

/// The fault of a text message: that of a magic number, or one of WhatsApp's in Twilio's words.
pub(crate) fn fault(settings: &SimulatorSettings, to: &str, key: &str) -> Option<Fault> {
    if let Some(code) = error::magic_recipient(to) {
        return Some(Fault::Refused(code));
    }
    let fault = Fault::of(settings, to, key, None)?;
    Some(match fault {
        Fault::RefusedAtFirst(code) => Fault::RefusedAtFirst(error::in_twilio(code)),
        Fault::Refused(code) => Fault::Refused(error::in_twilio(code)),
        // The steps of a plan are translated by `adapt`.
        other => other,
    })
}

/// Makes a plan of WhatsApp's one of text messages: nobody tells that they are read, failures have Twilio's codes, and who did
/// not ask to be called back is not.
pub(crate) fn adapt(steps: &mut Vec<Step>, is_called_back: bool) {
    steps.retain(|step| is_called_back && step.status != Status::Read);
    for step in steps {
        if let Status::Failed(code) = step.status {
            step.status = Status::Failed(error::in_twilio(code));
        }
    }
}

/// An id of Twilio's shape.
pub(crate) fn sid(random: &[u8; 32]) -> String {
    format!("SM{}", hex::encode(&random[..16]))
}
