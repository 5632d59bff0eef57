//! What is kept of a span until it is exported.

use std::fmt::Debug;
use std::time::{Instant, SystemTime};

use opentelemetry::Value;
use tracing::Metadata;
use tracing::field::{Field, Visit};

use super::TraceContext;
use super::layer::Parent;

/// The most attributes and links of a span, and the most bytes of a text.
const ATTRIBUTES: usize = 32;
const LINKS: usize = 64;
const TEXT: usize = 1_024;

/// A span that has ended.
pub(crate) struct Finished {
    pub(crate) context: TraceContext,
    pub(crate) parent: Option<Parent>,
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) recording: Recording,
    pub(crate) ended: Instant,
}

/// A span that is under way.
pub(crate) struct Recording {
    pub(crate) started: SystemTime,
    pub(crate) begun: Instant,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    pub(crate) dropped_attributes: u32,
    pub(crate) links: Vec<TraceContext>,
    pub(crate) dropped_links: u32,
    /// `otel.kind`.
    pub(crate) kind: Option<String>,
    /// `otel.name`.
    pub(crate) name: Option<String>,
    /// `otel.status_code`: whether it failed, if somebody said so.
    pub(crate) failed: Option<bool>,
}

impl Recording {
    pub(super) fn begin() -> Self {
        Self {
            started: SystemTime::now(),
            begun: Instant::now(),
            attributes: Vec::new(),
            dropped_attributes: 0,
            links: Vec::new(),
            dropped_links: 0,
            kind: None,
            name: None,
            failed: None,
        }
    }

    pub(super) fn link(&mut self, other: TraceContext) {
        if self.links.len() < LINKS {
            self.links.push(other);
        } else {
            self.dropped_links += 1;
        }
    }

    pub(super) fn failed(&mut self) {
        self.failed = Some(true);
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Value> {
        let found = self.attributes.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    /// The last value of a name counts.
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if let Some((_, known)) = self.attributes.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if self.attributes.len() < ATTRIBUTES {
            self.attributes.push((name, value));
        } else {
            self.dropped_attributes += 1;
        }
    }

    fn put_text(&mut self, field: &Field, mut text: String) {
        match field.name() {
            "otel.kind" => self.kind = Some(text),
            "otel.name" => self.name = Some(text),
            "otel.status_code" => self.failed = Some(text.eq_ignore_ascii_case("error")),
            _ => {
                text.truncate(text.floor_char_boundary(TEXT));
                self.put(field, text.into());
            }
        }
    }
}

impl Visit for Recording {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    /// OTLP knows no unsigned numbers.
    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.put(field, value.into()),
            Err(_) => self.put(field, value.to_string().into()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_text(field, format!("{value:?}"));
    }
}
