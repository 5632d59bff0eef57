//! The simulator as a whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use chrono::{DateTime, Utc};
use plaza_kernel::Clock;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::delivery::{self, Due, Queue};
use crate::journal::JournalError;
use crate::ledger::{Decision, Ledger, MessageNumber, Submission};
use crate::messages::Message;
use crate::settings::{InvalidSettings, SimulatorSettings};
use crate::tally::Counts;
use crate::{inspection, twilio, whatsapp};

const LARGEST_BODY: usize = 256 * 1024;

/// How long open requests may take once the server is told to stop; a stalled answer would take much longer.
const DRAIN: Duration = Duration::from_secs(1);

/// The simulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A setting makes no sense.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] JournalError),
    /// The client for callbacks cannot be made.
    #[error("the client for callbacks cannot be made")]
    Client(#[from] reqwest::Error),
}

/// A messaging provider that behaves as badly as it is told to. Clones are the same one.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    settings: SimulatorSettings,
    clock: Clock,
    client: reqwest::Client,
    ledger: Mutex<Ledger>,
    queue: Queue,
}

impl Simulator {
    /// Reads the state file and takes up what is unfinished in it.
    ///
    /// The process must have a default rustls provider by now (`CryptoProvider::install_default`).
    pub fn new(settings: SimulatorSettings, clock: Clock) -> Result<Self, SimulatorError> {
        settings.check()?;
        let ledger = Ledger::open(&settings)?;
        let queue = Queue::default();
        queue.push(unfinished(&ledger, &clock));
        let client = delivery::client(&settings)?;
        Ok(Self(Arc::new(Inner {
            settings,
            clock,
            client,
            ledger: Mutex::new(ledger),
            queue,
        })))
    }

    /// Everything that it answers over HTTP.
    pub fn router(&self) -> Router {
        whatsapp::router()
            .merge(twilio::router())
            .merge(inspection::router())
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(self.clone())
    }

    /// Sends callbacks until told to stop. Without a `callback_url` those of WhatsApp stay pending.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        tasks.spawn(delivery::run(self.clone(), tasks.clone(), stop));
    }

    /// Answers on a bound listener until told to stop, and then for a second more.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let server =
            axum::serve(listener, self.router()).with_graceful_shutdown(stop.clone().cancelled_owned());
        let drained = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = server.into_future() => served,
            () = drained => Ok(()),
        }
    }

    /// What `GET /_simulator/counts` answers.
    pub fn counts(&self) -> Counts {
        self.ledger().counts().clone()
    }

    /// Forgets everything, in the state file too.
    pub fn reset(&self) -> Result<(), JournalError> {
        let mut ledger = self.ledger();
        ledger.reset()?;
        self.0.queue.clear();
        Ok(())
    }

    /// Decides about a message and, once that is written down, takes up its plan.
    pub(crate) fn accept(&self, submission: Submission) -> Result<Decision, JournalError> {
        let mut ledger = self.ledger();
        let decision = ledger.submit(&self.0.settings, submission, self.0.clock.now())?;
        if let Decision::Accepted { number, .. } = decision
            && let Some(step) = ledger
                .messages()
                .get(number as usize)
                .and_then(Message::next_step)
        {
            let at = Instant::now() + Duration::from_millis(step.wait.into());
            self.0.queue.push([Due {
                at,
                number,
                refused: 0,
                era: ledger.era(),
            }]);
        }
        Ok(decision)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    pub(crate) fn settings(&self) -> &SimulatorSettings {
        &self.0.settings
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.0.client
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Held for moments only, never while waiting for anything but the state file.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Simulator")
    }
}

/// What an earlier process left undone: due when it would have been, or at once.
fn unfinished(ledger: &Ledger, clock: &Clock) -> Vec<Due> {
    let (now, start) = (clock.now(), Instant::now());
    let due = |(number, message): (MessageNumber, &Message)| {
        let step = message.next_step()?;
        let at = message.at + chrono::TimeDelta::milliseconds(step.happened.into());
        let wait = (at - now).to_std().unwrap_or_default();
        Some(Due {
            at: start + wait,
            number,
            refused: 0,
            era: ledger.era(),
        })
    };
    (0..).zip(ledger.messages()).filter_map(due).collect()
}
