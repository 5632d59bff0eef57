//! Telemetry: what the process tells its operator.
//!
//! Offers     [`init`] (logs to stderr, metrics), [`Telemetry::render`] (the text of `/metrics`), [`VERSION`]
//! Needs      nothing of Plaza
//!
//! Request spans are made by `platform/web`; every line logged inside one carries its fields (`request_id`, …).
//! Metrics are recorded anywhere with the `metrics` macros. A histogram whose name ends in `_seconds` gets the
//! buckets of [`LATENCY_BUCKETS`], so label values must come from a small fixed set.

mod json_lines;
mod logs;
mod metrics_text;
mod process;
mod version;

use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use logs::{LogFormat, TelemetrySettings, UnknownLogFormat};
pub use metrics_text::LATENCY_BUCKETS;
pub use version::{VERSION, Version};

/// How often the samples of histograms are folded into their buckets, which bounds their memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Logs or metrics cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not in the form of `tracing-subscriber`'s `EnvFilter`.
    #[error("the log filter `{filter}` cannot be read: {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else in this process has already set up logs.
    #[error("logs are already set up")]
    LogsTaken(#[source] tracing_subscriber::util::TryInitError),
    /// Something else in this process has already set up metrics.
    #[error("metrics are already set up")]
    MetricsTaken,
}

/// Sets up the logs and metrics of this process. Works once in a process.
pub fn init(settings: &TelemetrySettings) -> Result<Telemetry, TelemetryError> {
    logs::install(settings)?;
    Ok(Telemetry {
        metrics: metrics_text::install()?,
        started: Instant::now(),
    })
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Telemetry {
    metrics: PrometheusHandle,
    started: Instant,
}

impl Telemetry {
    /// All metrics in Prometheus' text form (`text/plain; version=0.0.4`), with those of the process read now.
    pub fn render(&self) -> String {
        let mut text = self.metrics.render();
        text.push_str(&VERSION.as_metric());
        process::render(&mut text, self.started.elapsed());
        text
    }

    /// Keeps the memory of histograms bounded until told to stop.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        let metrics = self.metrics.clone();
        tasks.spawn(stop.run_until_cancelled_owned(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                metrics.run_upkeep();
            }
        }));
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}
