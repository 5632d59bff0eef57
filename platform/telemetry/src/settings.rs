//! What an operator decides.

use secrecy::SecretString;
use serde::Deserialize;

/// How logs are written, and where traces go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is logged: a level, or `target=level` pairs, comma separated (`info,plaza_broadcast=debug`).
    pub filter: String,
    /// Colours in the pretty form. Left out: on a terminal, unless `NO_COLOR` is set.
    pub ansi: Option<bool>,
    /// What traces call this installation's processes (`service.name`).
    pub service_name: String,
    /// The collector that traces go to, OTLP over HTTP: `http://collector:4318`. Left out: nowhere; log lines and
    /// problems name their trace all the same.
    pub otlp_endpoint: Option<String>,
    /// Headers for the collector, `name=value,name=value`, the values percent-encoded.
    pub otlp_headers: Option<SecretString>,
    /// Share of the traces begun here that are sampled, 0 to 1. A trace begun elsewhere stays as it was decided there.
    pub otlp_sample: f64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            // What the first two say at `info` is about every notice of every migration; lapin logs returned messages whole.
            filter: "info,tokio_postgres=warn,refinery_core=warn,lapin=error".to_owned(),
            ansi: None,
            service_name: "plaza".to_owned(),
            otlp_endpoint: None,
            otlp_headers: None,
            otlp_sample: 1.0,
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
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
