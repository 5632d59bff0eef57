//! Gives spans their place in a trace.

use std::sync::Arc;
use std::time::Instant;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::TraceContext;
use super::recording::{Finished, Recording};
use crate::export::Queue;

/// Whether a span is a step of a trace: ours, and no finer than `info`.
pub(crate) fn is_traced(metadata: &Metadata<'_>) -> bool {
    let behind = metadata.target().strip_prefix("plaza");
    metadata.is_span()
        && *metadata.level() <= Level::INFO
        && behind.is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', ':']))
}

/// Where a span is in its trace, kept with it.
pub(crate) struct Place {
    context: TraceContext,
    /// The span that it is a child of, here or in another process.
    parent: Option<Parent>,
    recording: Keep,
}

#[derive(Clone, Copy)]
pub(crate) struct Parent {
    pub(crate) span: u64,
    pub(crate) is_remote: bool,
}

/// What is kept of a span for its export.
enum Keep {
    /// Nothing is exported by this process.
    Off,
    /// Its trace is not sampled.
    Skipped,
    /// Its trace is sampled, or it began one and may still follow another that is.
    All(Box<Recording>),
}

impl Place {
    pub(crate) fn context(&self) -> TraceContext {
        self.context
    }

    pub(super) fn follow(&mut self, came_in: TraceContext) {
        self.context.trace = came_in.trace;
        self.context.sampled = came_in.sampled;
        self.parent = Some(Parent {
            span: came_in.span,
            is_remote: true,
        });
        if came_in.sampled && matches!(self.recording, Keep::Skipped) {
            self.recording = Keep::All(Box::new(Recording::begin()));
        }
    }

    pub(super) fn link(&mut self, other: TraceContext) {
        if let Keep::All(recording) = &mut self.recording {
            recording.link(other);
        }
    }

    pub(super) fn is_exported(&self) -> bool {
        self.context.sampled && matches!(self.recording, Keep::All(_))
    }
}

/// Keeps the trace of every span, and hands the spans that end to the export if there is one.
pub struct TraceLayer {
    /// Trace ids below this, by their lower 63 bits, are sampled: as OpenTelemetry's `TraceIdRatioBased` decides.
    sampled_below: u64,
    export: Option<Arc<Queue>>,
}

impl TraceLayer {
    pub(crate) fn new(sample: f64, export: Option<Arc<Queue>>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a ratio needs no more precision, and casts of floats saturate"
        )]
        let sampled_below = (sample * (1_u64 << 63) as f64) as u64;
        Self {
            sampled_below,
            export,
        }
    }

    fn begin(&self) -> TraceContext {
        let trace = not_zero(rand::random::<u128>);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what decides")]
        let sampled = (trace as u64) >> 1 < self.sampled_below;
        TraceContext {
            trace,
            span: not_zero(rand::random::<u64>),
            sampled,
        }
    }

    fn place(&self, around: Option<TraceContext>) -> Place {
        let context = around.map_or_else(
            || self.begin(),
            |around| TraceContext {
                span: not_zero(rand::random::<u64>),
                ..around
            },
        );
        let recording = match self.export {
            None => Keep::Off,
            Some(_) if context.sampled || around.is_none() => Keep::All(Box::new(Recording::begin())),
            Some(_) => Keep::Skipped,
        };
        let parent = around.map(|around| Parent {
            span: around.span,
            is_remote: false,
        });
        Place {
            context,
            parent,
            recording,
        }
    }
}

/// Zero means "none" in both ids.
fn not_zero<T: Default + PartialEq>(draw: impl Fn() -> T) -> T {
    loop {
        let id = draw();
        if id != T::default() {
            return id;
        }
    }
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|_| is_traced(attributes.metadata())) else {
            return;
        };
        let mut place = self.place(span.parent().and_then(super::around));
        if let Keep::All(recording) = &mut place.recording {
            attributes.record(&mut **recording);
        }
        span.extensions_mut().replace(place);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if self.export.is_none() {
            return;
        }
        if let Some(span) = context.span(id)
            && let Some(Place {
                recording: Keep::All(recording),
                ..
            }) = span.extensions_mut().get_mut()
        {
            values.record(&mut **recording);
        }
    }

    /// A line at level `error` says that the work around it failed.
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if self.export.is_none() || *event.metadata().level() != Level::ERROR {
            return;
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(place) = span.extensions_mut().get_mut::<Place>() {
                if let Keep::All(recording) = &mut place.recording {
                    recording.failed();
                }
                return;
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let (Some(queue), Some(span)) = (&self.export, context.span(&id)) else {
            return;
        };
        let place = span.extensions_mut().remove::<Place>();
        if let Some(Place {
            context: here,
            parent,
            recording: Keep::All(recording),
        }) = place
            && here.sampled
        {
            queue.push(Finished {
                context: here,
                parent,
                metadata: span.metadata(),
                recording: *recording,
                ended: Instant::now(),
            });
        }
    }
}

impl std::fmt::Debug for TraceLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TraceLayer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_samples_about_that_many_of_the_traces() {
        let share = |sample: f64| {
            let layer = TraceLayer::new(sample, None);
            (0..10_000).filter(|_| layer.begin().sampled).count()
        };
        assert_eq!(share(0.0), 0);
        assert_eq!(share(1.0), 10_000);
        // Six standard deviations.
        assert!((2_240..2_760).contains(&share(0.25)));
    }
}
