//! Starts the relay and the consumer runners of the services in this process.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Clock, ServiceName};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rabbitmq::Intake;
use crate::relay::{Relay, Round};
use crate::runner::Runner;
use crate::watch::Watch;
use crate::{
    InProcess, MessagingSettings, Pending, RabbitMq, Subscriptions, Transport, left_over, pending, supervised,
};

/// The messaging of one process: every hosted service has its relay, its runner, and over a broker a reader of each of
/// its consumers' queues.
pub struct Messaging {
    settings: Arc<MessagingSettings>,
    clock: Clock,
    transport: Arc<dyn Transport>,
    in_process: Option<Arc<InProcess>>,
    broker: Option<Arc<RabbitMq>>,
    hosted: Vec<Hosted>,
}

/// What runs for one service.
struct Hosted {
    database: Database,
    relay: Arc<Relay>,
    runner: Arc<Runner>,
    watch: Arc<Watch>,
    intakes: Vec<Arc<Intake>>,
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

    /// Over RabbitMQ: consumers read their queues there. What is still queued in the database is consumed before.
    pub fn over_rabbitmq(broker: Arc<RabbitMq>, settings: MessagingSettings, clock: Clock) -> Self {
        let transport: Arc<dyn Transport> = Arc::<RabbitMq>::clone(&broker);
        Self {
            broker: Some(broker),
            ..Self::over(transport, settings, clock)
        }
    }

    /// Over another transport. It brings events into `deliveries` by its own means.
    pub fn over(transport: Arc<dyn Transport>, settings: MessagingSettings, clock: Clock) -> Self {
        Self {
            settings: Arc::new(settings),
            clock,
            transport,
            in_process: None,
            broker: None,
            hosted: Vec::new(),
        }
    }

    /// Hosts a service: its outbox is relayed, its subscriptions are served.
    ///
    /// # Panics
    /// When the topology of the broker has no queue for one of the consumers.
    pub fn host(&mut self, database: Database, subscriptions: Subscriptions) {
        if let Some(in_process) = &self.in_process {
            in_process.serve(database.clone(), &subscriptions);
        }
        let (settings, clock) = (&self.settings, &self.clock);
        let intakes = self
            .broker
            .iter()
            .flat_map(|broker| Intake::of(broker, &database, &subscriptions, settings, clock).into_iter());
        let intakes: Vec<Arc<Intake>> = intakes.map(Arc::new).collect();
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
            intakes,
            database,
        });
    }

    /// Starts everything hosted. Tasks end after `stop` is cancelled, once what they hold is committed; the connections to
    /// a broker are closed after that.
    pub fn start(self, tasks: &TaskTracker, stop: CancellationToken) {
        let working = TaskTracker::new();
        for hosted in self.hosted {
            if self.in_process.is_some() {
                let database = hosted.database.clone();
                tasks.spawn(async move { left_over::tell_what_is_stranded(&database).await });
            }
            hosted.start(tasks, &working, &stop);
        }
        working.close();
        if let Some(broker) = self.broker {
            tasks.spawn(async move {
                broker.keep(&stop).await;
                working.wait().await;
                broker.close().await;
            });
        }
    }

    /// Without being started: relays and consumes until nothing of the hosted services is pending. For tests and
    /// one-off commands; retries wait for their delays. Over a broker it relays only, and consumes what is queued in the
    /// database.
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

impl Hosted {
    fn start(self, tasks: &TaskTracker, working: &TaskTracker, stop: &CancellationToken) {
        let service = self.database.service();
        let spawn = |part, work: Work| {
            let work = supervised(service, part, stop.clone(), {
                let stop = stop.clone();
                move || work(stop.clone())
            });
            tasks.spawn(working.track_future(work));
        };
        let Self {
            relay,
            runner,
            watch,
            intakes,
            ..
        } = self;
        spawn(
            "relay",
            works(relay, |relay, stop| async move { relay.run(&stop).await }),
        );
        spawn(
            "runner",
            works(runner, |runner, stop| async move { runner.run(&stop).await }),
        );
        spawn(
            "watch",
            works(watch, |watch, stop| async move { watch.run(&stop).await }),
        );
        for intake in intakes {
            spawn(
                "intake",
                works(intake, |intake, stop| async move { intake.run(&stop).await }),
            );
        }
    }
}

/// Begins a part's work, again and again if need be.
type Work = Box<dyn Fn(CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

fn works<P, F>(part: Arc<P>, work: impl Fn(Arc<P>, CancellationToken) -> F + Send + Sync + 'static) -> Work
where
    P: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(move |stop| work(Arc::clone(&part), stop).boxed())
}
