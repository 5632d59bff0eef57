//! Carries out the plans: callbacks that are due are put together, signed and posted, until each is answered with
//! 2xx.
//!
//! Callbacks of WhatsApp share requests, and go to one address; of text messages each status is a request of its own, to the
//! address that was given with the message (`texts.rs`).
//!
//! The steps of one message follow one another; messages do not wait for each other. A refused callback waits for
//! itself; when the receiver cannot be reached at all, everything waits.

mod queue;
mod texts;

use std::sync::Arc;
use std::time::Duration;

use plaza_telemetry::trace::{self, TraceContext};
use reqwest::header::CONTENT_TYPE;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use crate::ledger::{Ledger, MessageNumber};
use crate::settings::SimulatorSettings;
use crate::simulator::Simulator;
use crate::whatsapp::TRACEPARENT;
use crate::whatsapp::callback::{Callback, SIGNATURE, sign};

pub(crate) use queue::{Due, Queue};

/// After how many refusals of one callback the log says so: a receiver may refuse a few while it starts.
const TELLING: u16 = 3;

/// The client for callbacks: it follows nothing and waits for nobody.
pub(crate) fn client(settings: &SimulatorSettings) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_millis(settings.callback_timeout_milliseconds))
        .pool_max_idle_per_host(settings.in_flight)
        .build()
}

/// How a callback request ended.
enum Answer {
    /// 2xx.
    Good,
    /// Any other answer: this callback waits.
    Refused(u16),
    /// No answer, or one of something in between: everything waits.
    Away(String),
}

/// Posts what is due until told to stop.
pub(crate) async fn run(simulator: Simulator, tasks: TaskTracker, stop: CancellationToken) {
    let settings = simulator.settings();
    let permits = Arc::new(Semaphore::new(settings.in_flight));
    loop {
        let batch = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((permit, simulator.queue().take_due(settings.batch).await))
        };
        let Some(Some((permit, batch))) = stop.run_until_cancelled(batch).await else {
            return;
        };
        let delivery = deliver(simulator.clone(), batch, permit);
        tasks.spawn(stop.clone().run_until_cancelled_owned(delivery));
    }
}

/// What one callback request says.
struct Composed {
    steps: Vec<(MessageNumber, u8)>,
    body: Vec<u8>,
    /// The traces of its messages.
    traces: Vec<TraceContext>,
}

/// Posts the steps that are due. What is cut off here is posted again after the next start.
async fn deliver(simulator: Simulator, batch: Vec<Due>, _permit: OwnedSemaphorePermit) {
    let (texts, batch) = texts::apart(&simulator, batch);
    tokio::join!(
        texts::deliver(&simulator, texts),
        deliver_to_whatsapp(&simulator, batch)
    );
}

/// What nobody wants to hear of stays pending.
async fn deliver_to_whatsapp(simulator: &Simulator, batch: Vec<Due>) {
    let Some(url) = simulator.settings().callback_url.clone() else {
        return;
    };
    let composed = compose(simulator, &batch);
    if composed.steps.is_empty() {
        return;
    }
    let span = tracing::info_span!(
        "simulator.callback",
        statuses = composed.steps.len(),
        otel.kind = "client"
    );
    let shared = place(&span, &composed.traces);
    carry_out(simulator, &url, &batch, composed, shared)
        .instrument(span)
        .await;
}

/// Puts the span of a request into the trace that all of its messages share, and names it. Where they share none, the
/// span begins its own and is linked to theirs.
fn place(span: &Span, traces: &[TraceContext]) -> Option<TraceContext> {
    let first = traces.first().copied();
    let shared = first.filter(|first| traces.iter().all(|trace| trace.shares_trace_with(*first)));
    trace::follow(span, shared);
    if shared.is_none() {
        traces.iter().for_each(|other| trace::link(span, *other));
    }
    shared
}

async fn carry_out(
    simulator: &Simulator,
    url: &str,
    batch: &[Due],
    composed: Composed,
    shared: Option<TraceContext>,
) {
    let Composed { steps, body, .. } = composed;
    // Where nobody keeps traces, what came in is passed on as it is.
    let traceparent = trace::current().or(shared).map(TraceContext::to_traceparent);
    match post(simulator, url, body, traceparent).await {
        Answer::Good => {
            if simulator.queue().resume() {
                tracing::info!("callbacks are received again");
            }
            acknowledged(simulator, batch, &steps);
        }
        Answer::Refused(status) => {
            if batch.iter().any(|due| due.refused >= TELLING) && simulator.queue().refuses() {
                tracing::warn!(status, "callbacks are refused; they are kept and repeated");
            }
            refused(simulator, batch, |due| backoff(simulator.settings(), due.refused));
        }
        Answer::Away(reason) => {
            if simulator
                .queue()
                .pause(|refused| backoff(simulator.settings(), refused))
            {
                tracing::warn!(
                    reason,
                    "callbacks cannot be delivered; they are kept and repeated"
                );
            }
            refused(simulator, batch, |_| Duration::ZERO);
        }
    }
}

/// The steps that one request carries, and its body. Repetitions without a wait share the request.
fn compose(simulator: &Simulator, batch: &[Due]) -> Composed {
    let ledger = simulator.ledger();
    let settings = simulator.settings();
    let (mut steps, mut callback) = (Vec::with_capacity(batch.len()), Callback::new(settings));
    let mut traces = Vec::new();
    let mut room = settings.batch.saturating_sub(batch.len());
    for due in batch.iter().filter(|due| due.era == ledger.era()) {
        let Some(message) = ledger.messages().get(due.number as usize) else {
            continue;
        };
        traces.extend(message.trace);
        for (index, step) in (message.done..).zip(&message.steps[usize::from(message.done)..]) {
            if index > message.done {
                if step.wait > 0 || room == 0 {
                    break;
                }
                room -= 1;
            }
            callback.push(message, step);
            steps.push((due.number, index));
        }
    }
    Composed {
        steps,
        body: callback.into_body(),
        traces,
    }
}

async fn post(simulator: &Simulator, url: &str, body: Vec<u8>, traceparent: Option<String>) -> Answer {
    let mut request = simulator
        .client()
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(SIGNATURE, sign(simulator.settings(), &body))
        .body(body);
    if let Some(traceparent) = traceparent {
        request = request.header(TRACEPARENT, traceparent);
    }
    answered(request).await
}

async fn answered(request: reqwest::RequestBuilder) -> Answer {
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Answer::Good,
        Ok(answer) => match answer.status().as_u16() {
            status @ 502..=504 => Answer::Away(status.to_string()),
            status => Answer::Refused(status),
        },
        Err(error) if error.is_timeout() => Answer::Away("timeout".to_owned()),
        Err(error) if error.is_connect() => Answer::Away("connection refused".to_owned()),
        Err(error) => Answer::Away(error.without_url().to_string()),
    }
}

fn acknowledged(simulator: &Simulator, batch: &[Due], steps: &[(MessageNumber, u8)]) {
    let mut ledger = simulator.ledger();
    let Some(era) = batch.first().map(|due| due.era) else {
        return;
    };
    if let Err(error) = ledger.acknowledge(era, steps) {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot write down acknowledged callbacks"
        );
        drop(ledger);
        return refused(simulator, batch, |due| backoff(simulator.settings(), due.refused));
    }
    let next: Vec<Due> = batch.iter().filter_map(|due| next_due(&ledger, due)).collect();
    drop(ledger);
    simulator.queue().push(next);
}

fn next_due(ledger: &Ledger, due: &Due) -> Option<Due> {
    if due.era != ledger.era() {
        return None;
    }
    let step = ledger.messages().get(due.number as usize)?.next_step()?;
    Some(Due {
        at: Instant::now() + Duration::from_millis(step.wait.into()),
        refused: 0,
        ..*due
    })
}

fn refused(simulator: &Simulator, batch: &[Due], wait: impl Fn(&Due) -> Duration) {
    let mut ledger = simulator.ledger();
    ledger.callback_refused();
    let era = ledger.era();
    drop(ledger);
    let again = batch.iter().filter(|due| due.era == era).map(|due| Due {
        at: Instant::now() + wait(due),
        refused: due.refused.saturating_add(1),
        ..*due
    });
    simulator.queue().push(again);
}

fn backoff(settings: &SimulatorSettings, refused: u16) -> Duration {
    let doubled = settings
        .retry_first_milliseconds
        .saturating_mul(1 << refused.min(20));
    Duration::from_millis(doubled.min(settings.retry_longest_milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let settings = SimulatorSettings::default();
        let waits: Vec<u128> = (0..7)
            .map(|refused| backoff(&settings, refused).as_millis())
            .collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(backoff(&settings, u16::MAX).as_millis(), 5_000);
    }
}
