//! What gets in: log lines as the filter says, and every span that is a step of a trace, so that what is logged and
//! exported names its trace and its request however little is logged.

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::{EnvFilter, Layer};

use crate::TelemetryError;
use crate::trace::is_traced;

/// The log filter, which traced spans pass anyway.
pub(super) struct Gate(EnvFilter);

impl Gate {
    pub(super) fn read(text: &str) -> Result<Self, TelemetryError> {
        let text = if text.trim().is_empty() { "info" } else { text };
        let filter = EnvFilter::try_new(text).map_err(|source| TelemetryError::Filter {
            filter: text.to_owned(),
            source,
        });
        filter.map(Self)
    }
}

impl<S: Subscriber> Layer<S> for Gate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked in any case: it notes the spans that its own directives are about.
        let interest = Layer::<S>::register_callsite(&self.0, metadata);
        if is_traced(metadata) {
            return Interest::always();
        }
        interest
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        is_traced(metadata) || self.0.enabled(metadata, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.max_level_hint().max(Some(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.0.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = Gate::read("plaza=loud").map(drop).unwrap_err();
        assert!(error.to_string().contains("plaza=loud"), "{error}");
        assert!(Gate::read("").is_ok());
        assert!(Gate::read("warn,plaza_broadcast=debug").is_ok());
    }
}
