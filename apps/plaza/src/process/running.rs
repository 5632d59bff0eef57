//! What runs in a process, in the order in which it ends.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use plaza_contracts::services::ALL;
use plaza_database::Database;
use plaza_kernel::Clock;
use plaza_simulator::Simulator;
use plaza_telemetry::Telemetry;
use plaza_web::health::Health;
use plaza_web::openapi;
use plaza_web::server::{self, ServerSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Duty;
use crate::assembly::Assembly;
use crate::config::Config;

/// What runs, in the order in which it ends.
pub(super) struct Running {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    health: Health,
    /// Listeners and requests.
    requests: Group,
    /// Consumers, senders, planners.
    work: Group,
    /// What the others still need while they end: the simulator.
    last: Group,
}

#[derive(Default)]
struct Group {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Group {
    /// Asks everything to end and waits; says whether all did in time.
    async fn end(&self, within: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }
}

impl Running {
    /// Nothing runs yet.
    pub(super) fn new(config: Config, telemetry: Telemetry, clock: Clock, databases: &[Database]) -> Self {
        let health = Health::new();
        // All services share a server unless configured otherwise; each answers for its own.
        for database in databases {
            let database = database.clone();
            health.check(database.service().as_str(), move || {
                let database = database.clone();
                async move { database.ping().await }
            });
        }
        let (requests, work, last) = (Group::default(), Group::default(), Group::default());
        Self {
            config,
            telemetry,
            clock,
            health,
            requests,
            work,
            last,
        }
    }

    /// The provider simulator of a laptop.
    ///
    /// # Errors
    /// When its settings cannot be used or its state cannot be read.
    pub(super) fn start_simulator(&self, listener: TcpListener) -> anyhow::Result<()> {
        let simulator = Simulator::new(self.config.simulator.clone(), self.clock.clone())?;
        simulator.start(&self.last.tasks, self.last.stop.clone());
        let stop = self.last.stop.clone();
        self.last.tasks.spawn(async move {
            if let Err(error) = simulator.serve(listener, stop).await {
                tracing::error!(error = &error as &dyn std::error::Error, "simulator ended");
            }
        });
        Ok(())
    }

    /// Metrics and health.
    pub(super) fn listen_inside(&self, listener: TcpListener) {
        let telemetry = self.telemetry.clone();
        let metrics = get(move || {
            let text = telemetry.render();
            async move { ([(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
        });
        let router = Router::new()
            .route("/metrics", metrics)
            .merge(self.health.router());
        self.listen(listener, router, true);
        self.telemetry
            .start(&self.requests.tasks, self.requests.stop.clone());
    }

    /// Health, the OpenAPI document, and the gateway before everything else.
    ///
    /// # Errors
    /// When a setting of the gateway cannot be used.
    pub(super) fn listen_outside(&self, listener: TcpListener, assembly: &Assembly) -> anyhow::Result<()> {
        let gateway = assembly.gateway(&self.config)?;
        let document = openapi::document(&assembly.apis);
        let router = self
            .health
            .router()
            .merge(openapi::router(&document))
            .fallback_service(gateway.router());
        self.listen(listener, router, false);
        Ok(())
    }

    fn listen(&self, listener: TcpListener, router: Router, internal: bool) {
        let drain = Duration::from_secs(self.config.server.drain_seconds);
        let settings = ServerSettings {
            drain,
            internal,
            ..ServerSettings::default()
        };
        let (clock, stop, tasks) = (
            self.clock.clone(),
            self.requests.stop.clone(),
            self.requests.tasks.clone(),
        );
        self.requests.tasks.spawn(async move {
            server::serve(listener, router, settings, clock, stop, &tasks).await;
        });
    }

    /// Background work: that of the services which the duty names, and messaging, which is everybody's.
    pub(super) fn start_work(&self, assembly: &mut Assembly, duty: &Duty) {
        let services = match duty {
            Duty::Up | Duty::Serve => ALL.to_vec(),
            Duty::Work(services) => services.clone(),
        };
        assembly.start(&services, &self.work.tasks, &self.work.stop);
        assembly.start_messaging(&self.work.tasks, &self.work.stop);
    }

    /// Ends everything, in order.
    pub(super) async fn stop(&self) {
        let within = Duration::from_secs(self.config.server.drain_seconds);
        self.health.drain();
        tokio::time::sleep(Duration::from_millis(self.config.server.drain_delay_milliseconds)).await;
        let settle = Duration::from_secs(1);
        // Together: while a slow request is waited for, no sender or planner begins anything new.
        let (requests, work) = tokio::join!(self.requests.end(within + settle), self.work.end(within));
        let last = self.last.end(settle * 5).await;
        if !(requests && work && last) {
            tracing::warn!(requests, work, last, "not everything ended in time");
        }
    }
}
