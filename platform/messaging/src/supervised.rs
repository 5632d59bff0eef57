//! Background work that a panic does not end.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use plaza_kernel::ServiceName;
use tokio_util::sync::CancellationToken;

use crate::error_text;

/// The pause before work that panicked is started again.
const RESTART: Duration = Duration::from_secs(1);

/// Runs a part of a service until it ends of itself; a panic is logged and starts it again after a second, unless it
/// was told to stop meanwhile.
pub async fn supervised<F, Fut>(service: ServiceName, part: &'static str, stop: CancellationToken, start: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    while let Err(panic) = AssertUnwindSafe(async { start().await }).catch_unwind().await {
        let error = error_text::panic(&*panic);
        tracing::error!(%service, part, error, "background work panicked and is started again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RESTART) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const SHOP: ServiceName = ServiceName::new("shop");

    #[tokio::test]
    async fn work_that_panics_goes_on_and_work_that_ends_has_ended() {
        let begun = AtomicUsize::new(0);
        supervised(SHOP, "counting", CancellationToken::new(), || async {
            if begun.fetch_add(1, Ordering::SeqCst) < 1 {
                panic!("the shop fell into the river");
            }
        })
        .await;
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn work_that_panics_while_it_is_told_to_stop_is_over() {
        let (begun, stop) = (AtomicUsize::new(0), CancellationToken::new());
        supervised(SHOP, "counting", stop.clone(), || {
            begun.fetch_add(1, Ordering::SeqCst);
            stop.cancel();
            panic!("before there was anything to wait for");
            #[expect(unreachable_code, reason = "gives the closure its type")]
            std::future::ready(())
        })
        .await;
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }
}
