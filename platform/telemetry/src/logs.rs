//! Where log lines go and in which form. Always stderr: stdout belongs to what commands print.

mod gate;
mod json_lines;
mod pretty;
#[cfg(test)]
mod written;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::trace::TraceLayer;
use crate::{LogFormat, TelemetryError, TelemetrySettings};

use gate::Gate;
use json_lines::JsonLines;

/// Fields that are said to the export of traces only (see [`crate::trace`]).
const FOR_TRACES: &str = "otel.";

pub(crate) fn install(settings: &TelemetrySettings, traces: TraceLayer) -> Result<(), TelemetryError> {
    let gate = Gate::read(&settings.filter)?;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
        LogFormat::Json => JsonLines::new(std::io::stderr).boxed(),
        LogFormat::Pretty => {
            let ansi = settings.ansi.unwrap_or_else(|| std::io::stderr().is_terminal());
            pretty::lines(std::io::stderr, ansi)
        }
    };
    Registry::default()
        .with(lines)
        .with(traces)
        .with(gate)
        .try_init()
        .map_err(TelemetryError::LogsTaken)
}
