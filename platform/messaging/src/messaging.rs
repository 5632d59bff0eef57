//! Starts the relay and the consumer runners of the services in this process.

use std::sync::Arc;
use std::time::Duration;

use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Clock, ServiceName};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::relay::{Relay, Round};
use crate::runner::Runner;
use crate::watch::Watch;
use crate::{InProcess, MessagingSettings, Pending, Subscriptions, Transport, pending, supervised};

/// The messaging of one process over the in-process transport: every hosted service has its relay and its runners.
pub struct Messaging {
    settings: Arc<MessagingSettings>,
    clock: Clock,
    transport: Arc<dyn Transport>,
    in_process: Option<Arc<InProcess>>,
    hosted: Vec<Hosted>,
}

/// What runs for one service.
struct Hosted {
    database: Database,
    relay: Arc<Relay>,
    runner: Arc<Runner>,
    watch: Arc<Watch>,
}

/// There was still work when the time was over.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// This much was left.
    #[error("still pending: {0:?}")]
    Pending(Vec<(ServiceName, Pending)>),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DatabaseError),
}

impl Messaging {
    /// Nothing hosted yet.
    pub fn in_process(settings: MessagingSettings, clock: Clock) -> Self {
        let in_process = Arc::new(InProcess::new());
        let transport: Arc<dyn Transport> = Arc::<InProcess>::clone(&in_process);
        Self {
            in_process: Some(in_process),
            ..Self::over(transport, settings, clock)
        }
    }

    /// The same over another transport. It brings events into `deliveries` by its own means.
    pub fn over(transport: Arc<dyn Transport>, settings: MessagingSettings, clock: Clock) -> Self {
        Self {
            settings: Arc::new(settings),
            clock,
            transport,
            in_process: None,
            hosted: Vec::new(),
        }
    }

    /// Hosts a service: its outbox is relayed, its subscriptions are served.
    pub fn host(&mut self, database: Database, subscriptions: Subscriptions) {
        if let Some(in_process) = &self.in_process {
            in_process.serve(database.clone(), &subscriptions);
        }
        let (settings, clock) = (&self.settings, &self.clock);
        let transport = Arc::clone(&self.transport);
        self.hosted.push(Hosted {
            relay: Arc::new(Relay::new(
                database.clone(),
                transport,
                Arc::clone(settings),
                clock,
            )),
            runner: Arc::new(Runner::new(
                database.clone(),
                subscriptions,
                Arc::clone(settings),
                clock.clone(),
            )),
            watch: Arc::new(Watch::new(database.clone(), Arc::clone(settings), clock.clone())),
            database,
        });
    }

    /// Starts everything hosted. Tasks end after `stop` is cancelled, once what they hold is committed.
    pub fn start(self, tasks: &TaskTracker, stop: CancellationToken) {
        for Hosted {
            database,
            relay,
            runner,
            watch,
        } in self.hosted
        {
            let service = database.service();
            let (relay_stop, runner_stop, watch_stop) = (stop.clone(), stop.clone(), stop.clone());
            tasks.spawn(supervised(service, "relay", stop.clone(), move || {
                let (relay, stop) = (Arc::clone(&relay), relay_stop.clone());
                async move { relay.run(&stop).await }
            }));
            tasks.spawn(supervised(service, "runner", stop.clone(), move || {
                let (runner, stop) = (Arc::clone(&runner), runner_stop.clone());
                async move { runner.run(&stop).await }
            }));
            tasks.spawn(supervised(service, "watch", stop.clone(), move || {
                let (watch, stop) = (Arc::clone(&watch), watch_stop.clone());
                async move { watch.run(&stop).await }
            }));
        }
    }

    /// Without being started: relays and consumes until nothing of the hosted services is pending. For tests and
    /// one-off commands; retries wait for their delays.
    pub async fn drain(&self, within: Duration) -> Result<(), Unsettled> {
        let ends = Instant::now() + within;
        loop {
            for hosted in &self.hosted {
                while hosted.relay.round().await? == Round::Published {}
            }
            for hosted in &self.hosted {
                hosted.runner.run_dry().await?;
            }
            let left = self.pending().await?;
            if left.iter().all(|(_, pending)| pending.is_settled()) {
                return Ok(());
            }
            if Instant::now() >= ends {
                return Err(Unsettled::Pending(left));
            }
            tokio::time::sleep(self.settings.poll.min(Duration::from_millis(5))).await;
        }
    }

    /// What waits in each hosted service.
    pub async fn pending(&self) -> Result<Vec<(ServiceName, Pending)>, DatabaseError> {
        let mut all = Vec::with_capacity(self.hosted.len());
        for hosted in &self.hosted {
            all.push((hosted.database.service(), pending(&hosted.database).await?));
        }
        Ok(all)
    }

    /// Deletes what the inboxes no longer need to remember. Done hourly by what [`Messaging::start`] starts.
    pub async fn clean(&self) -> Result<(), DatabaseError> {
        for hosted in &self.hosted {
            hosted.watch.clean().await?;
        }
        Ok(())
    }
}
