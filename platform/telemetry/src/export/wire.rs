//! A span as OTLP has it.

use std::borrow::Cow;

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::trace::{Finished, TraceContext};

pub(super) fn span_data(span: &Finished) -> SpanData {
    let Finished {
        context,
        parent,
        metadata,
        recording,
        ended,
    } = span;
    let attributes = recording.attributes.iter();
    let mut links = SpanLinks::default();
    links.links = recording
        .links
        .iter()
        .map(|other| Link::with_context(span_context(*other, true)))
        .collect();
    links.dropped_count = recording.dropped_links;
    SpanData {
        span_context: span_context(*context, false),
        parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from(parent.span)),
        parent_span_is_remote: parent.is_some_and(|parent| parent.is_remote),
        span_kind: kind(recording.kind.as_deref()),
        name: name(span),
        start_time: recording.started,
        // Not by the system's clock, which may be set while a span lasts.
        end_time: recording.started + ended.saturating_duration_since(recording.begun),
        attributes: attributes
            .map(|(name, value)| KeyValue::new(*name, value.clone()))
            .collect(),
        dropped_attributes_count: recording.dropped_attributes,
        events: SpanEvents::default(),
        links,
        status: match recording.failed {
            Some(true) => Status::error(""),
            Some(false) => Status::Ok,
            None => Status::Unset,
        },
        instrumentation_scope: InstrumentationScope::builder(metadata.target()).build(),
    }
}

fn span_context(context: TraceContext, is_remote: bool) -> SpanContext {
    SpanContext::new(
        TraceId::from(context.trace),
        SpanId::from(context.span),
        TraceFlags::default().with_sampled(context.sampled),
        is_remote,
        TraceState::NONE,
    )
}

fn kind(name: Option<&str>) -> SpanKind {
    match name {
        Some("server") => SpanKind::Server,
        Some("client") => SpanKind::Client,
        Some("producer") => SpanKind::Producer,
        Some("consumer") => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

/// `otel.name` if it was said; else the span's, with the method and route of a request behind it, so that a list of
/// spans tells requests apart.
fn name(span: &Finished) -> Cow<'static, str> {
    let recording = &span.recording;
    if let Some(name) = &recording.name {
        return name.clone().into();
    }
    let name = span.metadata.name();
    match (recording.attribute("method"), recording.attribute("route")) {
        (Some(method), Some(route)) => format!("{name} {method} {route}").into(),
        _ => name.into(),
    }
}
