//! What is built of what. Only here are implementations named; a service knows the others by their contracts.

#[cfg(test)]
mod isolation;
mod services;

use std::sync::Arc;

use anyhow::Context;
use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, ALL, BROADCAST, IDENTITY, NOTIFICATION};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases, Schema};
use plaza_gateway::{Gateway, Upstream, Upstreams};
use plaza_kernel::{Clock, ServiceName};
use plaza_messaging::Messaging;
use plaza_rpc::{Directory, RpcSettings};
use plaza_web::ServiceApi;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use services::Services;

/// What services are made of.
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a Config,
    pub(crate) databases: &'a Databases,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Clock,
    /// The origin that links are made of.
    pub(crate) public_url: String,
}

impl Ground<'_> {
    /// The database of a service, with the configured login if there is one.
    fn database(&self, service: ServiceName) -> anyhow::Result<Database> {
        let login = self.config.logins.get(&service).cloned().unwrap_or_default();
        self.databases
            .of(service, login)
            .with_context(|| format!("the database settings of {service}"))
    }
}

/// All services of this process, and what connects them.
pub(crate) struct Assembly {
    pub(crate) services: Services,
    pub(crate) directory: Directory,
    pub(crate) apis: Vec<ServiceApi>,
    messaging: Option<Messaging>,
    databases: Vec<Database>,
    clock: Clock,
}

/// The schemas of all services.
pub(crate) fn schemas() -> Vec<Schema> {
    vec![
        plaza_identity::schema(),
        plaza_tenancy::schema(),
        plaza_access::schema(),
        plaza_notification::schema(),
        plaza_broadcast::schema(),
    ]
}

impl Assembly {
    /// Composes everything; connects to nothing yet.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub(crate) fn new(ground: &Ground<'_>) -> anyhow::Result<Self> {
        let directory = Directory::new(RpcSettings::default());
        let permissions = Permissions::new(directory.transport(ACCESS), ground.clock.clone());
        let services = Services::new(ground, &directory, permissions.clone())?;
        services.answer(&directory);
        let databases = ALL.into_iter().map(|service| ground.database(service));
        Ok(Self {
            apis: services.apis(Arc::new(permissions)),
            messaging: Some(services.messaging(ground)?),
            databases: databases.collect::<Result<_, _>>()?,
            clock: ground.clock.clone(),
            services,
            directory,
        })
    }

    /// The databases of all services.
    pub(crate) fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The front door before all services.
    ///
    /// # Errors
    /// When `routes.yaml` or another setting of it cannot be used.
    pub(crate) fn gateway(&self, config: &Config) -> anyhow::Result<Gateway> {
        let mut settings = config.gateway.clone();
        settings.cors_origins.extend(config.server.frontend_url.clone());
        let upstreams = self.apis.iter().fold(Upstreams::new(), |upstreams, api| {
            upstreams.with(api.service, Upstream::Local(api.router.clone()))
        });
        let operations = self.apis.iter().flat_map(|api| api.routes.clone()).collect();
        Gateway::new(
            settings,
            upstreams,
            operations,
            &self.directory,
            self.clock.clone(),
        )
        .context("the gateway cannot be set up")
    }

    /// Starts relays and consumers. Once; in process, only one that hosts every consumer may relay: an event must not
    /// be taken for consumed because nobody here wants it.
    pub(crate) fn start_messaging(&mut self, tasks: &TaskTracker, stop: &CancellationToken) {
        if let Some(messaging) = self.messaging.take() {
            messaging.start(tasks, stop.clone());
        }
    }

    /// Starts the background work of these services.
    pub(crate) fn start(&self, services: &[ServiceName], tasks: &TaskTracker, stop: &CancellationToken) {
        if services.contains(&IDENTITY) {
            self.services.identity.start(tasks, stop.clone());
        }
        if services.contains(&NOTIFICATION) {
            self.services.notification.start(tasks, stop.clone());
        }
        if services.contains(&BROADCAST) {
            self.services.broadcast.start(tasks, stop.clone());
        }
    }
}
