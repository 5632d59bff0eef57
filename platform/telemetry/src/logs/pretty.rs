//! Log lines for people: those of `tracing-subscriber`, with the trace at their end.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::FOR_TRACES;
use crate::trace;

pub(super) fn lines<W>(writer: W, ansi: bool) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi)
        .event_format(WithTrace(Format::default().with_ansi(ansi)))
        .fmt_fields(LogFields)
        .boxed()
}

struct WithTrace(Format);

impl<S, N> FormatEvent<S, N> for WithTrace
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let innermost = context.event_scope().and_then(|mut scope| scope.next());
        let Some(here) = innermost.and_then(trace::around) else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::with_capacity(256);
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(
            writer,
            "{} trace_id={}",
            line.trim_end_matches('\n'),
            here.trace_id()
        )
    }
}

/// Fields as `tracing-subscriber` writes them, but for those that are not said to the log.
struct LogFields;

impl<'a> FormatFields<'a> for LogFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut visitor = ForLog(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

struct ForLog<'a>(DefaultVisitor<'a>);

impl Visit for ForLog<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !field.name().starts_with(FOR_TRACES) {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !field.name().starts_with(FOR_TRACES) {
            self.0.record_debug(field, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::gate::Gate;
    use super::super::written::Written;
    use super::*;

    fn text_of(filter: &str, ansi: bool, work: impl FnOnce()) -> String {
        let written = Written::default();
        let subscriber = Registry::default()
            .with(lines(written.clone(), ansi))
            .with(trace::layer())
            .with(Gate::read(filter).unwrap());
        tracing::subscriber::with_default(subscriber, work);
        written.text()
    }

    fn request() -> tracing::Span {
        let span = tracing::info_span!("request", request_id = "r-1", otel.kind = "server");
        let came_in = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        trace::follow(&span, trace::TraceContext::parse(came_in));
        span
    }

    #[test]
    fn a_line_ends_with_its_trace() {
        let text = text_of("info", false, || {
            tracing::info!(port = 1, "listening");
            request().in_scope(|| tracing::info!(rows = 3, "answered"));
        });
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].ends_with("listening port=1"), "{text}");
        assert!(
            lines[1].ends_with(
                "request{request_id=\"r-1\"}: plaza_telemetry::logs::pretty::tests: answered rows=3 \
                 trace_id=4bf92f3577b34da6a3ce929d0e0e4736"
            ),
            "{text}"
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn however_little_is_logged_a_line_names_its_request_and_its_trace() {
        let text = text_of("warn", false, || {
            let _request = request().entered();
            tracing::info!("too much");
            tracing::debug_span!("finer").in_scope(|| tracing::warn!("late"));
        });
        assert!(text.contains("request{request_id=\"r-1\"}: "), "{text}");
        assert!(
            text.contains("trace_id=4bf92f3577b34da6a3ce929d0e0e4736"),
            "{text}"
        );
        assert!(!text.contains("too much") && !text.contains("finer"), "{text}");
    }

    #[test]
    fn finer_spans_are_shown_where_the_filter_asks_for_them() {
        let text = text_of(
            "off,plaza_telemetry[request{request_id=r-1}]=debug",
            false,
            || {
                tracing::warn!("outside");
                let _request = request().entered();
                tracing::debug_span!("finer").in_scope(|| tracing::debug!("detail"));
            },
        );
        assert!(text.contains("request{request_id=\"r-1\"}:finer: "), "{text}");
        assert!(!text.contains("outside"), "{text}");
    }

    #[test]
    fn colours_are_there_if_they_are_wanted() {
        let text = text_of("info", true, || request().in_scope(|| tracing::info!("answered")));
        assert!(text.contains('\u{1b}'), "{text:?}");
        assert!(
            text.ends_with(" trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n"),
            "{text:?}"
        );
    }
}
