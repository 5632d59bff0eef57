//! Log lines as JSON objects, with the fields of all spans around the event at the top level.
//!
//! A field of an inner span hides the same field of an outer one, and a field of the event hides both. `spans` names
//! the way in, from the outside: `request:campaigns.launch`. `trace_id` and `span_id` are those of the innermost span
//! that is a step of a trace.

use std::fmt::Debug;
use std::io::Write;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::FOR_TRACES;
use crate::trace;

/// Writes each event as one line of JSON.
pub(super) struct JsonLines<W> {
    writer: W,
}

/// The fields of a span, kept with it.
struct SpanFields(Fields);

impl<W> JsonLines<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        let mut way = String::new();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.0.extend(fields.0.clone());
            }
            way.push_str(if way.is_empty() { "" } else { ":" });
            way.push_str(span.name());
        }
        event.record(&mut line);
        if let Some(here) = context.event_span(event).and_then(trace::around) {
            line.put("trace_id", here.trace_id());
            line.put("span_id", here.span_id());
        }
        if !way.is_empty() {
            line.put("spans", way);
        }
        line.put("target", event.metadata().target());
        line.put("level", event.metadata().level().as_str());
        line.put("timestamp", now());
        self.write(&line.0, event);
    }
}

impl<W> JsonLines<W>
where
    W: for<'a> MakeWriter<'a>,
{
    fn write(&self, line: &Map<String, Value>, event: &Event<'_>) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            // Nowhere is left to say that a log line could not be written.
            let _ = self.writer.make_writer_for(event.metadata()).write_all(&text);
        }
    }
}

fn now() -> String {
    let mut text = String::with_capacity(32);
    // Fails only when the text cannot grow.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        if name.starts_with(FOR_TRACES) {
            return;
        }
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    /// An error with its causes: the outermost message alone rarely says what happened.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.put(field.name(), text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::written::Written;
    use super::*;

    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let subscriber = tracing_subscriber::registry()
            .with(JsonLines::new(written.clone()))
            .with(trace::layer());
        tracing::subscriber::with_default(subscriber, work);
        let lines = written.text();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_carries_the_request_id_of_the_outer_span() {
        let lines = lines_of(|| {
            let _request =
                tracing::info_span!("request", request_id = "r-1", status = tracing::field::Empty).entered();
            let _verb = tracing::info_span!("campaigns.launch", campaign = 7).entered();
            tracing::warn!(rows = 3, "campaign is \"late\"\n");
        });
        let line = &lines[0];
        assert_eq!(line["request_id"], "r-1");
        assert_eq!(line["campaign"], 7);
        assert_eq!(line["rows"], 3);
        assert_eq!(line["message"], "campaign is \"late\"\n");
        assert_eq!(line["spans"], "request:campaigns.launch");
        assert_eq!(line["level"], "WARN");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn what_is_recorded_later_and_what_is_inside_wins() {
        let lines = lines_of(|| {
            let outer = tracing::info_span!("request", status = tracing::field::Empty, id = 1);
            outer.record("status", 404);
            let _outer = outer.entered();
            let _inner = tracing::info_span!("inner", id = 2).entered();
            tracing::info!("inside");
            tracing::info!(id = 3, "event");
        });
        assert_eq!((&lines[0]["status"], &lines[0]["id"]), (&404.into(), &2.into()));
        assert_eq!(lines[1]["id"], 3);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct CannotStart(#[source] std::num::ParseIntError);

    #[test]
    fn an_error_is_written_with_its_causes() {
        let error = CannotStart("x".parse::<u8>().unwrap_err());
        let lines = lines_of(|| tracing::error!(error = &error as &dyn std::error::Error, "stopped"));
        assert_eq!(lines[0]["error"], "cannot start: invalid digit found in string");
    }

    #[test]
    fn a_line_names_its_trace_and_the_innermost_step_of_it() {
        let mut inside = None;
        let lines = lines_of(|| {
            tracing::info!("outside");
            let request = tracing::info_span!("request", otel.kind = "server");
            trace::follow(&request, trace::TraceContext::parse(CAME_IN));
            let _request = request.entered();
            let _foreign = tracing::info_span!(target: "hyper", "connection").entered();
            inside = trace::current();
            tracing::warn!(target: "tokio_postgres", "inside");
        });
        assert_eq!(lines[0].get("trace_id"), None);
        assert_eq!(lines[0].get("span_id"), None);
        assert_eq!(lines[1]["trace_id"], CAME_IN[3..35]);
        assert_eq!(lines[1]["span_id"], inside.unwrap().span_id());
        assert_eq!(lines[1].get("otel.kind"), None);
    }

    #[test]
    fn a_line_for_another_span_names_the_trace_of_that_one() {
        let lines = lines_of(|| {
            let other = tracing::info_span!("other");
            trace::follow(&other, trace::TraceContext::parse(CAME_IN));
            let _here = tracing::info_span!("here").entered();
            tracing::info!(parent: &other, "about the other");
        });
        assert_eq!(lines[0]["trace_id"], CAME_IN[3..35]);
    }

    const CAME_IN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
}
