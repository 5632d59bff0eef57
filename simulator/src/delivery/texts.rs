//! Callbacks of text messages: one status each, to the address of its message. One receiver that is away makes nobody else
//! wait.

use plaza_telemetry::trace::{self, TraceContext};
use reqwest::header::CONTENT_TYPE;
use tracing::Instrument;

use super::{Answer, Due, acknowledged, answered, backoff, refused};
use crate::messages::Provider;
use crate::simulator::Simulator;
use crate::twilio::callback::{Callback, SIGNATURE};
use crate::whatsapp::TRACEPARENT;

/// One callback that is to be made.
struct Composed {
    step: u8,
    callback: Callback,
    trace: Option<TraceContext>,
}

/// Divides what is due: text messages, and all others.
pub(super) fn apart(simulator: &Simulator, batch: Vec<Due>) -> (Vec<Due>, Vec<Due>) {
    let ledger = simulator.ledger();
    let is_text = |due: &Due| {
        let message = ledger.messages().get(due.number as usize);
        due.era == ledger.era()
            && message.is_some_and(|message| matches!(message.provider, Provider::Twilio { .. }))
    };
    batch.into_iter().partition(is_text)
}

/// Posts them, one after the other.
pub(super) async fn deliver(simulator: &Simulator, batch: Vec<Due>) {
    for due in batch {
        let Some(composed) = compose(simulator, &due) else {
            continue;
        };
        let span = tracing::info_span!("simulator.callback", statuses = 1, otel.kind = "client");
        trace::follow(&span, composed.trace);
        post(simulator, due, composed).instrument(span).await;
    }
}

/// None where nobody asked to be called back: the message stays as it is.
fn compose(simulator: &Simulator, due: &Due) -> Option<Composed> {
    let ledger = simulator.ledger();
    if due.era != ledger.era() {
        return None;
    }
    let message = ledger.messages().get(due.number as usize)?;
    let Provider::Twilio { account } = &message.provider else {
        return None;
    };
    let callback = Callback::of(message, account, message.next_step()?, ledger.token_of(account)?)?;
    Some(Composed {
        step: message.done,
        callback,
        trace: message.trace,
    })
}

async fn post(simulator: &Simulator, due: Due, composed: Composed) {
    let Composed {
        step,
        callback,
        trace,
    } = composed;
    let mut request = simulator
        .client()
        .post(&callback.url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
        .header(SIGNATURE, callback.signature)
        .body(callback.body);
    // Where nobody keeps traces, what came in is passed on as it is.
    let context = trace::current().or(trace);
    if let Some(traceparent) = context.map(TraceContext::to_traceparent) {
        request = request.header(TRACEPARENT, traceparent);
    }
    match answered(request).await {
        Answer::Good => acknowledged(simulator, &[due], &[(due.number, step)]),
        Answer::Refused(_) | Answer::Away(_) => {
            refused(simulator, &[due], |due| {
                backoff(simulator.settings(), due.refused)
            });
        }
    }
}
