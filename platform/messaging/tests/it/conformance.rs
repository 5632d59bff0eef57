//! What every transport promises: the same stories over each of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod order;
mod retries;

/// Tells these stories over every transport. Without a broker those over RabbitMQ fail: none is skipped.
macro_rules! over_every_transport {
    ($($(#[$attribute:meta])* $story:ident)*) => {
        mod in_process {
            $(
                $(#[$attribute])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(crate::carrier::Town::with(crate::carrier::Carrier::InProcess).await).await;
                }
            )*
        }

        mod rabbitmq {
            $(
                $(#[$attribute])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(crate::carrier::Town::with(crate::carrier::Carrier::rabbitmq().await).await).await;
                }
            )*
        }
    };
}

pub(crate) use over_every_transport;
