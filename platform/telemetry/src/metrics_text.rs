//! The recorder behind the `metrics` macros.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::TelemetryError;

/// Upper bounds, in seconds, of the histograms whose names end in `_seconds`: from a read of one round trip to the
/// longest deadline of a request.
pub const LATENCY_BUCKETS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Makes the one recorder of this process.
pub(crate) fn install() -> Result<PrometheusHandle, TelemetryError> {
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::MetricsTaken)?;
    Ok(handle)
}

#[expect(
    clippy::expect_used,
    reason = "fails only for an empty list of buckets, and this one is a constant"
)]
fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)
        .expect("the list of buckets is not empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_becomes_a_histogram_with_our_buckets() {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("plaza_http_request_duration_seconds", "route" => "/livez").record(0.0007);
            metrics::counter!("plaza_outbox_published_total").increment(2);
        });
        let text = handle.render();
        assert!(
            text.contains(r#"plaza_http_request_duration_seconds_bucket{route="/livez",le="0.0005"} 0"#),
            "{text}"
        );
        assert!(
            text.contains(r#"plaza_http_request_duration_seconds_bucket{route="/livez",le="0.001"} 1"#),
            "{text}"
        );
        assert!(text.contains("plaza_outbox_published_total 2"), "{text}");
    }
}
