//! One message on its way to the provider and back.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use plaza_contracts::ids::MessageId;
use plaza_telemetry::trace::{self, TraceContext};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::Instrument;

use super::claims::Claimed;
use crate::Notification;
use crate::providers::{Account, ErrorClass, Outgoing, Provider, SendFailure, presentable};
use crate::senders::SMS;

/// What came back from the provider: its id of the message.
type Outcome = Result<String, SendFailure>;

/// The messages that are with the provider, each in a task of its own: an answer is read, and the time for it runs,
/// whatever their worker waits for. Dropped, they are broken off.
#[derive(Default)]
pub(super) struct InFlight {
    tasks: JoinSet<Outcome>,
    departed: HashMap<Id, Departed>,
}

/// Which message it is.
struct Departed {
    id: MessageId,
    source: String,
    address: String,
    previous: Option<String>,
    epoch: i32,
    attempt: u32,
}

/// One message that came back from the provider.
pub(super) struct Finished {
    pub(super) id: MessageId,
    pub(super) source: String,
    /// To whom it went.
    pub(super) address: String,
    /// What the try before this one met.
    pub(super) previous: Option<String>,
    pub(super) epoch: i32,
    /// The how manieth try this was, from 1.
    pub(super) attempt: u32,
    pub(super) result: Outcome,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Sets a message on its way. `until` is when the claim on it ends.
    pub(super) fn depart(
        &mut self,
        notification: &Notification,
        account: &Arc<Account>,
        message: Claimed,
        until: Instant,
    ) {
        let departed = Departed {
            id: message.id,
            source: message.source,
            address: message.address.clone(),
            previous: message.previous,
            epoch: message.epoch,
            attempt: u32::try_from(message.attempts).unwrap_or(1).max(1),
        };
        let (notification, account) = (notification.clone(), Arc::clone(account));
        let (to, content) = (message.address, message.content);
        let reference = departed.id;
        let span = span(&departed, &account.channel, message.traceparent.as_deref());
        let work = async move { send(&notification, &account, (reference, to, content), until).await };
        self.follow(departed, work.instrument(span));
    }

    fn follow(&mut self, departed: Departed, work: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(work).id();
        self.departed.insert(task, departed);
    }

    /// What comes back next; none when nothing is in flight. Given up while waiting, it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Finished> {
        loop {
            let ended = self.tasks.join_next_with_id().await?;
            if let Some(finished) = self.finish(ended) {
                return Some(finished);
            }
        }
    }

    /// What is back by now.
    pub(super) fn back(&mut self) -> Vec<Finished> {
        let mut all = Vec::new();
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            all.extend(self.finish(ended));
        }
        all
    }

    /// A task that came to no answer (a panic) leaves open how far it got.
    fn finish(&mut self, ended: Result<(Id, Outcome), JoinError>) -> Option<Finished> {
        let (task, result) = ended.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a message's task broke");
            (error.id(), Err(SendFailure::Unknown("its task broke".to_owned())))
        });
        // Every task was entered when it was spawned.
        let Departed {
            id,
            source,
            address,
            previous,
            epoch,
            attempt,
        } = self.departed.remove(&task)?;
        Some(Finished {
            id,
            source,
            address,
            previous,
            epoch,
            attempt,
            result,
        })
    }
}

/// The span of one try, in the trace that the message was asked for in. Without one it begins a trace of its own.
fn span(message: &Departed, channel: &str, traceparent: Option<&str>) -> tracing::Span {
    // The name of a span is fixed where it is written.
    macro_rules! named {
        ($name:literal) => {
            tracing::info_span!(
                parent: None,
                $name,
                otel.kind = "client",
                message.id = %message.id,
                attempt = message.attempt
            )
        };
    }
    let span = match channel {
        SMS => named!("send sms"),
        _ => named!("send whatsapp"),
    };
    trace::follow(&span, traceparent.and_then(TraceContext::parse));
    span
}

/// Hands one message to the provider, unless the claim on it has run out by now: then somebody else may have it.
async fn send(
    notification: &Notification,
    account: &Account,
    (reference, to, content): (MessageId, String, String),
    until: Instant,
) -> Outcome {
    if Instant::now() >= until {
        return Err(SendFailure::NotTried);
    }
    let content = serde_json::from_str(&content).map_err(|error| SendFailure::Refused {
        class: ErrorClass::Final,
        code: "UNREADABLE_CONTENT".to_owned(),
        text: presentable(&error.to_string()),
    })?;
    let outgoing = Outgoing {
        reference,
        to,
        content,
    };
    let outcome = match account.channel.as_str() {
        SMS => notification.inner.twilio.send(account, &outgoing).await,
        _ => notification.inner.whatsapp.send(account, &outgoing).await,
    };
    plaza_telemetry::crash::point("dispatch.answered");
    outcome
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;
    use tokio::sync::oneshot;

    use super::*;

    fn some_message() -> Departed {
        Departed {
            id: MessageId::generate(&Clock::system()),
            source: "campaign:x".to_owned(),
            address: "+4915117404120".to_owned(),
            previous: None,
            epoch: 3,
            attempt: 2,
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_leaves_the_outcome_of_its_own_message_open() {
        let mut in_flight = InFlight::default();
        let (broken, fine) = (some_message(), some_message());
        let (broken_id, fine_id) = (broken.id, fine.id);
        in_flight.follow(broken, async { panic!("the adapter fell over") });
        in_flight.follow(fine, async { Ok("wamid.1".to_owned()) });
        let mut found = HashMap::new();
        while let Some(finished) = in_flight.next().await {
            assert_eq!((finished.epoch, finished.attempt), (3, 2));
            found.insert(finished.id, finished.result);
        }
        assert_eq!(found[&fine_id], Ok("wamid.1".to_owned()));
        assert!(matches!(found[&broken_id], Err(SendFailure::Unknown(_))));
        assert!(in_flight.is_empty() && in_flight.departed.is_empty());
    }

    #[tokio::test]
    async fn what_is_in_flight_goes_on_while_nobody_looks_and_ends_with_its_worker() {
        let mut in_flight = InFlight::default();
        let (done, is_done) = oneshot::channel();
        in_flight.follow(some_message(), async move {
            let _ = done.send(());
            Ok("wamid.1".to_owned())
        });
        is_done.await.unwrap();
        let (kept, is_dropped) = oneshot::channel::<()>();
        in_flight.follow(some_message(), async move {
            let _kept = kept;
            std::future::pending().await
        });
        tokio::task::yield_now().await;
        assert_eq!((in_flight.back().len(), in_flight.len()), (1, 1));
        drop(in_flight);
        assert!(is_dropped.await.is_err(), "the task ended");
    }
}
