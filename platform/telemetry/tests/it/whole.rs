//! A process without a collector.

use plaza_telemetry::{LogFormat, TelemetryError, TelemetrySettings, VERSION, init, trace};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::process::{Child, is_child};

#[test]
fn the_process_has_one_telemetry_that_renders_what_is_recorded() {
    let ended = Child::of("whole::one_telemetry").run();
    assert!(ended.good, "{}", ended.stderr);
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn one_telemetry() {
    if !is_child() {
        return;
    }
    let settings = TelemetrySettings {
        format: LogFormat::Json,
        filter: "off".to_owned(),
        ansi: Some(false),
        ..TelemetrySettings::default()
    };
    let telemetry = init(&settings).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    telemetry.start(&tasks, stop.clone());

    metrics::counter!("plaza_test_total", "outcome" => "good").increment(3);
    let text = telemetry.render();

    assert!(text.contains("plaza_test_total{outcome=\"good\"} 3"), "{text}");
    assert!(text.contains("# TYPE process_uptime_seconds gauge"), "{text}");
    assert!(text.contains(&format!("commit=\"{}\"", VERSION.commit)), "{text}");
    assert!(!text.contains("plaza_trace"), "{text}");
    assert!(matches!(init(&settings), Err(TelemetryError::LogsTaken(_))));

    // Traces are kept without a collector, and where nothing is logged.
    let span = tracing::info_span!(target: "plaza_test", "request");
    assert!(span.in_scope(trace::current).is_some());
    assert!(!trace::is_exported(&span));
    telemetry.shutdown();

    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[test]
fn settings_that_make_no_sense_are_refused_before_anything_is_set_up() {
    let with = |change: fn(&mut TelemetrySettings)| {
        let mut settings = TelemetrySettings::default();
        change(&mut settings);
        init(&settings).map(drop).unwrap_err()
    };
    let endpoint = with(|settings| settings.otlp_endpoint = Some("collector:4318".to_owned()));
    assert!(matches!(endpoint, TelemetryError::OtlpEndpoint), "{endpoint}");
    let headers = with(|settings| {
        settings.otlp_endpoint = Some("http://127.0.0.1:1".to_owned());
        settings.otlp_headers = Some("token".into());
    });
    assert!(matches!(headers, TelemetryError::OtlpHeaders), "{headers}");
    for sample in [-0.1, 1.1, f64::NAN] {
        let settings = TelemetrySettings {
            otlp_sample: sample,
            ..TelemetrySettings::default()
        };
        assert!(
            matches!(init(&settings), Err(TelemetryError::OtlpSample)),
            "{sample}"
        );
    }
}
