//! W3C trace context: which trace the work at hand belongs to, read where it comes in and written where it goes out.
//!
//! Every span of Plaza's own targets at level `info` and above has a place in a trace, whether spans are exported or
//! not and whatever the log filter says. A span inside another one is its child; one outside of any begins a trace. So
//! whoever receives work makes a span, lets it [`follow`] what came in and runs the work in it, and whoever sends work
//! out sends [`current`] along.
//!
//! Fields of a span become attributes when it is exported. Three are read instead: `otel.kind` (`server`, `client`,
//! `producer`, `consumer`), `otel.status_code` (`error`, `ok`) and `otel.name`; log lines leave them out.

mod context;
mod layer;
mod recording;

use tracing::Span;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use layer::Place;

pub use context::TraceContext;
pub use layer::TraceLayer;
pub(crate) use layer::is_traced;
pub(crate) use recording::Finished;

/// The place in the trace that the current span is at; what leaves this process carries it on. None outside of any span,
/// or where nobody keeps traces: in tests without a subscriber.
pub fn current() -> Option<TraceContext> {
    tracing::dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        around(registry.span(dispatch.current_span().id()?)?)
    })
}

/// Makes a span that was just made part of the trace that came in. Without one the span stays where it is.
///
/// Just made: spans that were made inside it before stay in the trace that it leaves.
pub fn follow(span: &Span, came_in: Option<TraceContext>) {
    if let Some(context) = came_in {
        with_place(span, |place| place.follow(context));
    }
}

/// Notes that a span also has to do with another trace: what works on a batch follows none of those that its parts
/// came from.
pub fn link(span: &Span, other: TraceContext) {
    with_place(span, |place| place.link(other));
}

/// Whether a span will be exported, for fields that are only worth recording then.
pub fn is_exported(span: &Span) -> bool {
    with_place(span, |place| place.is_exported()).unwrap_or_default()
}

/// Keeps traces and exports none: [`crate::init`] sets it up by itself, tests put it on a `Registry`.
pub fn layer() -> TraceLayer {
    TraceLayer::new(1.0, None)
}

/// Where the innermost traced span is, beginning with this one.
pub(crate) fn around<'a, R: LookupSpan<'a>>(span: SpanRef<'a, R>) -> Option<TraceContext> {
    span.scope()
        .find_map(|span| span.extensions().get().map(Place::context))
}

fn with_place<T>(span: &Span, work: impl FnOnce(&mut Place) -> T) -> Option<T> {
    span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.extensions_mut().get_mut().map(work)
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const CAME_IN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn traced(work: impl FnOnce()) {
        tracing::subscriber::with_default(Registry::default().with(layer()), work);
    }

    #[test]
    fn without_a_span_or_a_subscriber_there_is_no_trace() {
        traced(|| assert_eq!(current(), None));
        let span = info_span!("alone");
        follow(&span, TraceContext::parse(CAME_IN));
        assert_eq!(span.in_scope(current), None);
    }

    #[test]
    fn a_span_outside_of_any_begins_a_trace_and_a_span_inside_belongs_to_it() {
        traced(|| {
            let (first, second) = (info_span!("first"), info_span!("second"));
            let (a, b) = (
                first.in_scope(current).unwrap(),
                second.in_scope(current).unwrap(),
            );
            assert_ne!(a.trace_id(), b.trace_id());
            let inner = first.in_scope(|| info_span!("inner"));
            let inside = inner.in_scope(current).unwrap();
            assert_eq!(inside.trace_id(), a.trace_id());
            assert_ne!(inside.span_id(), a.span_id());
        });
    }

    #[test]
    fn a_span_follows_what_came_in_and_its_children_do_too() {
        traced(|| {
            let came_in = TraceContext::parse(CAME_IN).unwrap();
            let consumer = info_span!("consumer").in_scope(|| info_span!("delivery"));
            follow(&consumer, Some(came_in));
            let here = consumer.in_scope(current).unwrap();
            assert_eq!(here.trace_id(), came_in.trace_id());
            assert_ne!(here.span_id(), came_in.span_id());
            let child = consumer
                .in_scope(|| info_span!("child").in_scope(current))
                .unwrap();
            assert_eq!(child.trace_id(), came_in.trace_id());
        });
    }

    #[test]
    fn following_nothing_leaves_the_span_where_it_is() {
        traced(|| {
            let span = info_span!("request");
            let before = span.in_scope(current);
            follow(&span, None);
            assert_eq!(span.in_scope(current), before);
            assert!(before.is_some());
        });
    }

    #[test]
    fn whether_a_trace_is_sampled_is_decided_by_who_began_it() {
        traced(|| {
            let unsampled = TraceContext::parse(&CAME_IN.replace("-01", "-00"));
            let span = info_span!("request");
            follow(&span, unsampled);
            let inner = span.in_scope(|| info_span!("inner").in_scope(current)).unwrap();
            assert!(inner.to_traceparent().ends_with("-00"));
            let own = info_span!("request").in_scope(current).unwrap();
            assert!(own.to_traceparent().ends_with("-01"));
        });
    }

    #[test]
    fn spans_of_others_and_finer_ones_are_no_step_of_a_trace() {
        traced(|| {
            let request = info_span!("request");
            let here = request.in_scope(current).unwrap();
            let foreign = request.in_scope(|| info_span!(target: "hyper::proto", "connection"));
            assert_eq!(foreign.in_scope(current), Some(here));
            let fine = foreign.in_scope(|| tracing::debug_span!("step"));
            assert_eq!(fine.in_scope(current), Some(here));
            let plazas = info_span!(target: "plazas", "no crate of ours");
            assert_eq!(plazas.in_scope(current), None);
        });
    }

    #[test]
    fn what_is_not_exported_says_so() {
        traced(|| assert!(!is_exported(&info_span!("request"))));
        assert!(!is_exported(&Span::none()));
    }
}
