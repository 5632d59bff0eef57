//! The two transports, as one thing to test with.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use plaza_database::{Databases, Login};
use plaza_kernel::topology::{Exchange, ExchangeKind, Queue, Reader, Route, Topology};
use plaza_messaging::{
    DeadLetters, Letter, Messaging, MessagingSettings, RabbitMq, RabbitMqSettings, Subscriptions,
};
use plaza_testkit::eventually;
use plaza_testkit::rabbitmq::Vhost;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ledger::{BookKeeper, LEDGER, SHOP, Street, quick};

/// For whatever has to happen: other builds may run beside the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the shop says and the ledger hears.
pub(crate) static TOPOLOGY: Topology = Topology {
    exchanges: &[Exchange {
        name: "street.events",
        kind: ExchangeKind::Topic,
    }],
    routes: &[
        Route {
            event: "shop.counted",
            exchange: "street.events",
            key: "shop.counted",
        },
        Route {
            event: "shop.unheard",
            exchange: "street.events",
            key: "shop.unheard",
        },
    ],
    queues: &[Queue {
        name: BOOK,
        exchange: "street.events",
        keys: &["shop.counted"],
        reader: Reader::Consumer(BOOK),
    }],
};

/// The ledger's consumer, and its queue.
pub(crate) const BOOK: &str = "ledger.book";

/// What carries the events of a test.
pub(crate) enum Carrier {
    InProcess,
    RabbitMq(Vhost),
}

impl Carrier {
    pub(crate) async fn rabbitmq() -> Self {
        Self::RabbitMq(Vhost::new().await)
    }
}

/// Shop and ledger, and what carries events between them.
pub(crate) struct Town {
    pub(crate) street: Street,
    pub(crate) carrier: Carrier,
    pub(crate) settings: MessagingSettings,
}

/// A process that hosts both. Dropped, it has died.
pub(crate) struct Process {
    tasks: TaskTracker,
    stop: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Town {
    pub(crate) async fn with(carrier: Carrier) -> Self {
        Self {
            street: Street::open().await,
            carrier,
            settings: quick(),
        }
    }

    /// A broker's client that connects to nothing yet.
    pub(crate) fn client(&self) -> Option<Arc<RabbitMq>> {
        match &self.carrier {
            Carrier::InProcess => None,
            Carrier::RabbitMq(vhost) => Some(client(&vhost.url(), &self.settings)),
        }
    }

    fn messaging(&self, keeper: &BookKeeper) -> Messaging {
        let (settings, clock) = (self.settings.clone(), self.street.clock.clone());
        let mut messaging = match self.client() {
            None => Messaging::in_process(settings, clock),
            Some(broker) => Messaging::over_rabbitmq(broker, settings, clock),
        };
        // Connections of its own: they live and die with its runtime.
        let databases = Databases::new(self.street.database.settings()).unwrap();
        let of = |service| databases.of(service, Login::default()).unwrap();
        messaging.host(of(SHOP), Subscriptions::new());
        messaging.host(of(LEDGER), Subscriptions::new().with(keeper.clone()));
        messaging
    }

    /// Starts a process with this bookkeeper. On a runtime of its own, so that it can die like a process.
    pub(crate) fn run(&self, keeper: &BookKeeper) -> Process {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let process = Process {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            runtime: Some(runtime),
        };
        let messaging = self.messaging(keeper);
        let entered = process.runtime.as_ref().unwrap().enter();
        messaging.start(&process.tasks, process.stop.clone());
        drop(entered);
        process
    }

    /// Runs a process until so many are booked and so many are dead, and stops it.
    pub(crate) async fn settle(&self, keeper: &BookKeeper, booked: usize, dead: usize) {
        let process = self.run(keeper);
        self.until(booked, dead).await;
        process.stop().await;
    }

    /// Waits until so many are booked and so many are dead.
    pub(crate) async fn until(&self, booked: usize, dead: usize) {
        eventually(PATIENCE, || async {
            self.street.booked().await.len() >= booked && (dead == 0 || self.dead().await.len() >= dead)
        })
        .await;
    }

    /// Waits until the relay has forgotten what it published. Killed before, it publishes the event again: a second message,
    /// with deliveries of its own.
    pub(crate) async fn published(&self) {
        eventually(PATIENCE, || async { self.street.pending().await.0.outbox == 0 }).await;
    }

    pub(crate) fn dead_letters(&self) -> DeadLetters {
        let databases = vec![self.street.shop.clone(), self.street.ledger.clone()];
        DeadLetters::new(databases, self.client())
    }

    pub(crate) async fn dead(&self) -> Vec<Letter> {
        self.dead_letters().list(None, 100).await.unwrap()
    }
}

impl Process {
    /// Ends in order.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap();
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Dies: its work is broken off wherever it is, its connections are closed by nobody in order.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn client(url: &secrecy::SecretString, settings: &MessagingSettings) -> Arc<RabbitMq> {
    let patience = RabbitMqSettings {
        pause: Duration::from_millis(500),
        ..RabbitMqSettings::default()
    };
    Arc::new(RabbitMq::new(url, &TOPOLOGY, patience, settings.clone()).unwrap())
}
