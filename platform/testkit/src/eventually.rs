//! Waiting for something that happens in the background.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again and again until the answer is yes.
///
/// # Panics
/// When the answer is still no after `deadline`.
#[track_caller]
pub fn eventually<F, Fut>(deadline: Duration, ask: F) -> impl Future<Output = ()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let asked_at = std::panic::Location::caller();
    poll(deadline, ask, asked_at)
}

async fn poll<F, Fut>(deadline: Duration, mut ask: F, asked_at: &'static std::panic::Location<'static>)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    while !ask().await {
        assert!(
            began.elapsed() < deadline,
            "still not so after {deadline:?}, asked at {asked_at}"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
