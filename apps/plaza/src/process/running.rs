//! What runs in a process, in the order in which it ends.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use plaza_kernel::Clock;
use plaza_rpc::RpcListener;
use plaza_simulator::Simulator;
use plaza_telemetry::Telemetry;
use plaza_web::health::Health;
use plaza_web::openapi;
use plaza_web::server::{self, ServerSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::inside::{self, Served};
use crate::assembly::{Assembly, catalogue};
use crate::config::Config;

/// What runs, in the order in which it ends.
pub(super) struct Running {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    health: Health,
    /// Says of each service that is served here whether it takes calls.
    grpc: Option<RpcListener>,
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
    pub(super) fn new(config: Config, telemetry: Telemetry, clock: Clock, assembly: &Assembly) -> Self {
        let health = inside::health(assembly);
        let (requests, work, last) = (Group::default(), Group::default(), Group::default());
        Self {
            config,
            telemetry,
            clock,
            health,
            grpc: None,
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

    /// Watches which addresses of other processes answer, until the very end.
    pub(super) fn look_after_remotes(&self, assembly: &Assembly) {
        for remote in &assembly.remotes {
            remote.start(&self.last.tasks, self.last.stop.clone());
        }
    }

    /// Metrics, health, and the services' APIs for those who prove who they are.
    ///
    /// # Errors
    /// When the APIs cannot be put together.
    pub(super) async fn listen_inside(
        &mut self,
        listener: TcpListener,
        assembly: &Assembly,
    ) -> anyhow::Result<()> {
        let telemetry = self.telemetry.clone();
        let metrics = get(move || {
            let text = telemetry.render();
            async move { ([(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
        });
        let open = Router::new()
            .route("/metrics", metrics)
            .merge(self.health.router());
        let router = match inside::services(assembly, &self.config, &self.clock)? {
            Some(Served { router, grpc }) => {
                for service in &assembly.hosting.serves {
                    grpc.set_serving(*service, true).await;
                }
                self.grpc = Some(grpc);
                open.merge(router)
            }
            None => open,
        };
        self.listen(listener, router, true);
        self.telemetry
            .start(&self.requests.tasks, self.requests.stop.clone());
        Ok(())
    }

    /// Health, the OpenAPI document, and the gateway before everything else.
    ///
    /// # Errors
    /// When a setting of the gateway cannot be used.
    pub(super) fn listen_outside(&self, listener: TcpListener, assembly: &Assembly) -> anyhow::Result<()> {
        // What there is to be called is compiled in, wherever it runs.
        let all;
        let apis = match assembly.hosting.is_whole() {
            true => &assembly.apis,
            false => {
                all = catalogue(&self.config, &self.clock)?;
                &all
            }
        };
        let gateway = assembly.gateway(&self.config, apis)?;
        gateway.start(&self.requests.tasks, self.requests.stop.clone());
        let document = openapi::document(apis);
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
            trust_trace_context: self.config.server.trust_trace_context,
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

    /// Background work: events, due rows and schedules of the services that work here.
    pub(super) fn start_work(&self, assembly: &mut Assembly) {
        let services = assembly.hosting.works.clone();
        assembly.start(&services, &self.work.tasks, &self.work.stop);
        assembly.start_messaging(&self.work.tasks, &self.work.stop);
    }

    /// Ends everything, in order.
    pub(super) async fn stop(&self) {
        let within = Duration::from_secs(self.config.server.drain_seconds);
        self.health.drain();
        if let Some(grpc) = &self.grpc {
            grpc.end_watches().await;
        }
        let delay = Duration::from_millis(self.config.server.drain_delay_milliseconds);
        self.health.drained(delay, delay * 2).await;
        let settle = Duration::from_secs(1);
        // Together: while a slow request is waited for, no sender or planner begins anything new.
        let (requests, work) = tokio::join!(self.requests.end(within + settle), self.work.end(within));
        let last = self.last.end(settle * 5).await;
        if !(requests && work && last) {
            tracing::warn!(requests, work, last, "not everything ended in time");
        }
    }
}
