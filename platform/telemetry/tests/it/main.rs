//! The global parts: they can be set up once in a process, so all of it is one test.

use plaza_telemetry::{LogFormat, TelemetryError, TelemetrySettings, VERSION, init};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::test]
async fn the_process_has_one_telemetry_that_renders_what_is_recorded() {
    let settings = TelemetrySettings {
        format: LogFormat::Json,
        filter: "off".to_owned(),
        ansi: Some(false),
    };
    let telemetry = init(&settings).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    telemetry.start(&tasks, stop.clone());

    metrics::counter!("plaza_test_total", "outcome" => "good").increment(3);
    let text = telemetry.render();

    assert!(text.contains("plaza_test_total{outcome=\"good\"} 3"), "{text}");
    assert!(text.contains("# TYPE process_uptime_seconds gauge"), "{text}");
    assert!(text.contains(&format!("commit=\"{}\"", VERSION.commit)), "{text}");
    assert!(matches!(init(&settings), Err(TelemetryError::LogsTaken(_))));

    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
