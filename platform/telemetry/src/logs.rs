//! Where log lines go and in which form. Always stderr: stdout belongs to what commands print.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::TelemetryError;
use crate::json_lines::JsonLines;

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is logged: a level, or `target=level` pairs, comma separated (`info,plaza_broadcast=debug`).
    pub filter: String,
    /// Colours in the pretty form. Left out: on a terminal, unless `NO_COLOR` is set.
    pub ansi: Option<bool>,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            // What these two say at `info` is about every notice of every migration.
            filter: "info,tokio_postgres=warn,refinery_core=warn".to_owned(),
            ansi: None,
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Pretty,
    /// One JSON object a line, with the fields of the spans around it.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat),
        }
    }
}

/// Neither `pretty` nor `json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a log format is `pretty` or `json`")]
pub struct UnknownLogFormat;

pub(crate) fn install(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let filter = filter(&settings.filter)?;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
        LogFormat::Json => JsonLines::new(std::io::stderr).boxed(),
        LogFormat::Pretty => {
            let ansi = settings.ansi.unwrap_or_else(|| std::io::stderr().is_terminal());
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(ansi)
                .boxed()
        }
    };
    Registry::default()
        .with(lines)
        .with(filter)
        .try_init()
        .map_err(TelemetryError::LogsTaken)
}

fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let text = if text.trim().is_empty() { "info" } else { text };
    EnvFilter::try_new(text).map_err(|source| TelemetryError::Filter {
        filter: text.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = filter("plaza=loud").unwrap_err();
        assert!(error.to_string().contains("plaza=loud"), "{error}");
        assert!(filter("").is_ok());
        assert!(filter("warn,plaza_broadcast=debug").is_ok());
    }
}
