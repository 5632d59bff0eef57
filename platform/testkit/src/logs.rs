//! Logs of a test: shown with the test's output when `RUST_LOG` asks for them.

use tracing_subscriber::EnvFilter;

/// Sends the logs of this process to the test's output. Safe to call from every test.
pub fn show_logs() {
    // Another test of this process may have done it: that is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_test_writer()
        .try_init();
}
