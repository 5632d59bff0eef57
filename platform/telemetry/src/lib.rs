//! Telemetry: what the process tells its operator.
//!
//! Offers     [`init`] (logs to stderr, traces, metrics), [`trace`] (which trace the work at hand belongs to),
//!            [`Telemetry::render`] (the text of `/metrics`), [`Telemetry::shutdown`], [`VERSION`], [`crash`] (where tests
//!            make a process die)
//! Needs      nothing of Plaza
//!
//! Request spans are made by `platform/web`; every line logged inside one carries its fields (`request_id`, …) and the
//! id of its trace. Spans leave the process only if the settings name a collector: see `export.rs`.
//! Metrics are recorded anywhere with the `metrics` macros. A histogram whose name ends in `_seconds` gets the
//! buckets of [`LATENCY_BUCKETS`], so label values must come from a small fixed set.

pub mod crash;
mod export;
mod logs;
mod metrics_text;
mod process;
mod settings;
pub mod trace;
mod version;

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use export::{Endpoint, FLUSH, Queue};
use trace::TraceLayer;

pub use metrics_text::LATENCY_BUCKETS;
pub use settings::{LogFormat, TelemetrySettings, UnknownLogFormat};
pub use version::{VERSION, Version};

/// How often the samples of histograms are folded into their buckets, which bounds their memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Logs, traces or metrics cannot be set up.
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
    /// Not a URL, or not of HTTP.
    #[error("telemetry.otlp_endpoint is not an http or https URL")]
    OtlpEndpoint,
    /// Not pairs, or not of a header's characters. They are secret, so they are not named.
    #[error("telemetry.otlp_headers is not of the form `name=value,name=value`")]
    OtlpHeaders,
    /// More than everything, or less than nothing.
    #[error("telemetry.otlp_sample must be between 0 and 1")]
    OtlpSample,
    /// The thread or the client that exports traces cannot be made.
    #[error("traces cannot be exported")]
    Export(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sets up the logs, traces and metrics of this process. Works once in a process.
///
/// With a collector in the settings the process must have a default rustls provider by now
/// (`CryptoProvider::install_default`), and ends with [`Telemetry::shutdown`].
pub fn init(settings: &TelemetrySettings) -> Result<Telemetry, TelemetryError> {
    set_up(settings, None)
}

/// Like [`init`], for a process that goes on until it is stopped: what it is for (`serve`, `worker broadcast`) is said
/// with everything that it exports.
pub fn init_for(settings: &TelemetrySettings, duty: &str) -> Result<Telemetry, TelemetryError> {
    set_up(settings, Some(duty))
}

fn set_up(settings: &TelemetrySettings, duty: Option<&str>) -> Result<Telemetry, TelemetryError> {
    if !(0.0..=1.0).contains(&settings.otlp_sample) {
        return Err(TelemetryError::OtlpSample);
    }
    let export = Endpoint::of(settings, duty)?.map(|endpoint| (endpoint, Arc::<Queue>::default()));
    let traces = export.as_ref().map(|(_, queue)| Arc::clone(queue));
    logs::install(settings, TraceLayer::new(settings.otlp_sample, traces.clone()))?;
    let metrics = metrics_text::install()?;
    if let Some((endpoint, queue)) = export {
        export::start(endpoint, queue)?;
    }
    Ok(Telemetry {
        metrics,
        traces,
        started: Instant::now(),
    })
}

/// The metrics of this process, and the end of its traces.
#[derive(Clone)]
pub struct Telemetry {
    metrics: PrometheusHandle,
    /// Spans that are still to be exported, if any are.
    traces: Option<Arc<Queue>>,
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

    /// Exports the spans that have ended, for at most five seconds, and none after that. Called last of all, also where a
    /// process ends because it cannot start. Blocks its thread; needs nothing of the runtime.
    pub fn shutdown(&self) {
        let all = self.traces.as_ref().is_none_or(|traces| traces.stop(FLUSH));
        if !all {
            tracing::warn!("the last traces were not exported in time");
        }
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
