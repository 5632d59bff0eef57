//! Spans leave by OTLP over HTTP (protobuf), in batches, on a thread of their own.
//!
//! Nobody waits for the collector: spans wait in a bounded queue, what does not fit is dropped and counted, and the end
//! of the process waits for the last batch no longer than [`FLUSH`]. The SDK's own processor does not count what it
//! drops and its shutdown can dead-lock (opentelemetry-rust #1961, #3176), so only the exporter is used of it, whose
//! call is bounded by the HTTP client.

mod endpoint;
mod queue;
mod wire;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use futures_util::FutureExt;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SpanExporter as _;

use crate::TelemetryError;
use crate::trace::Finished;

pub(crate) use endpoint::Endpoint;
pub(crate) use queue::Queue;

/// How long the end of the process waits for the last spans to leave.
pub(crate) const FLUSH: Duration = Duration::from_secs(5);

/// The pauses before a batch that was not taken is tried again; after the last it is dropped.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Starts the thread that exports what is in the queue.
pub(crate) fn start(endpoint: Endpoint, queue: Arc<Queue>) -> Result<(), TelemetryError> {
    let (ready, is_ready) = sync_channel(1);
    let worker = move || work(endpoint, &Ended(queue), &ready);
    std::thread::Builder::new()
        .name("plaza-traces".to_owned())
        .spawn(worker)
        .map_err(|error| TelemetryError::Export(error.into()))?;
    // A thread that ends without a word has panicked: there is no TLS provider.
    is_ready
        .recv()
        .unwrap_or_else(|gone| Err(TelemetryError::Export(gone.into())))
}

/// Counts spans that no collector will ever see.
fn dropped(spans: usize) {
    metrics::counter!("plaza_trace_spans_dropped_total").increment(spans as u64);
}

fn exported(spans: usize) {
    metrics::counter!("plaza_trace_spans_exported_total").increment(spans as u64);
}

/// Tells those who wait for the end, even if the thread panics.
struct Ended(Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn work(endpoint: Endpoint, ended: &Ended, ready: &SyncSender<Result<(), TelemetryError>>) {
    // Made here, because a blocking client must not be made nor dropped where asynchronous work runs.
    let exporter = match endpoint.exporter() {
        Ok(exporter) => exporter,
        // Sent into a channel with room for it, which somebody waits at.
        Err(error) => return drop(ready.send(Err(TelemetryError::Export(error)))),
    };
    let _ = ready.send(Ok(()));
    // So that both are there before anything happens.
    dropped(0);
    exported(0);
    let mut sender = Sender {
        exporter,
        queue: &ended.0,
        is_away: false,
    };
    while let Some(batch) = ended.0.take() {
        sender.deliver(&batch);
    }
}

struct Sender<'a> {
    exporter: SpanExporter,
    queue: &'a Queue,
    /// The collector did not take the last batch that was offered.
    is_away: bool,
}

impl Sender<'_> {
    fn deliver(&mut self, batch: &[Finished]) {
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            if self.offer(batch) {
                return exported(batch.len());
            }
            let is_over = pause.is_none_or(|pause| self.queue.pause(pause));
            if is_over {
                break;
            }
        }
        dropped(batch.len());
        // At the end there is no time to find out about each batch.
        if self.queue.is_stopping() {
            dropped(self.queue.discard());
        }
    }

    fn offer(&mut self, batch: &[Finished]) -> bool {
        let spans = batch.iter().map(wire::span_data).collect();
        // Ready at once, because the client blocks.
        let answer = self.exporter.export(spans).now_or_never();
        let error = match answer {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("the exporter did not wait for its answer".to_owned()),
        };
        match &error {
            Some(error) if !self.is_away => {
                tracing::warn!(error, "traces are not taken; they wait or are dropped");
            }
            None if self.is_away => tracing::info!("traces are taken again"),
            _ => {}
        }
        self.is_away = error.is_some();
        error.is_none()
    }
}
