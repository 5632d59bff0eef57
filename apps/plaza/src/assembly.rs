//! What is built of what. Only here are implementations named; a service knows the others by their contracts.

use std::sync::Arc;

use anyhow::Context;
use plaza_access::Access;
use plaza_broadcast::Broadcast;
use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, ALL, BROADCAST, IDENTITY, NOTIFICATION, TENANCY};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases, Schema};
use plaza_gateway::{Gateway, Upstream, Upstreams};
use plaza_identity::Identity;
use plaza_kernel::{Clock, ServiceName};
use plaza_messaging::{Messaging, MessagingSettings};
use plaza_notification::Notification;
use plaza_rpc::{Directory, RpcSettings};
use plaza_tenancy::{Tenancy, TenancyConfig};
use plaza_web::{PermissionSource, ServiceApi};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

/// What services are made of.
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a Config,
    pub(crate) databases: &'a Databases,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Clock,
    /// The origin that links are made of.
    pub(crate) public_url: String,
}

/// All services of this process.
pub(crate) struct Assembly {
    pub(crate) identity: Identity,
    pub(crate) notification: Notification,
    pub(crate) broadcast: Broadcast,
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
        let Ground {
            config,
            keys,
            clock,
            public_url,
            ..
        } = ground;
        let database = |service: ServiceName| {
            let login = config.logins.get(&service).cloned().unwrap_or_default();
            ground
                .databases
                .of(service, login)
                .with_context(|| format!("the database settings of {service}"))
        };
        let directory = Directory::new(RpcSettings::default());
        let cached = Permissions::new(directory.transport(ACCESS), clock.clone());
        let permissions: Arc<dyn PermissionSource> = Arc::new(cached.clone());

        let mut identity_config = config.identity.clone();
        if identity_config.public_url.is_empty() {
            identity_config.public_url.clone_from(public_url);
        }
        let identity = Identity::new(
            identity_config,
            database(IDENTITY)?,
            &directory,
            clock.clone(),
            keys.clone(),
        );
        let tenancy_config = TenancyConfig {
            public_url: public_url.clone(),
        };
        let tenancy = Tenancy::new(tenancy_config, database(TENANCY)?, &directory, clock.clone());
        let access = Access::new(database(ACCESS)?, cached, clock.clone());
        let notification = Notification::new(
            config.notification.clone(),
            database(NOTIFICATION)?,
            clock.clone(),
            keys.clone(),
        )?;
        let broadcast = Broadcast::new(
            config.broadcast.clone(),
            database(BROADCAST)?,
            &directory,
            clock.clone(),
        );

        directory.host(IDENTITY, identity.grpc());
        directory.host(TENANCY, tenancy.grpc());
        directory.host(ACCESS, access.grpc());
        directory.host(NOTIFICATION, notification.grpc());
        directory.host(BROADCAST, broadcast.grpc());

        let mut messaging = Messaging::in_process(MessagingSettings::default(), clock.clone());
        messaging.host(database(IDENTITY)?, identity.subscriptions());
        messaging.host(database(TENANCY)?, tenancy.subscriptions());
        messaging.host(database(ACCESS)?, access.subscriptions());
        messaging.host(database(NOTIFICATION)?, notification.subscriptions());
        messaging.host(database(BROADCAST)?, broadcast.subscriptions());

        let apis = vec![
            identity.http(permissions.clone()),
            tenancy.http(permissions.clone()),
            access.http(permissions.clone()),
            notification.http(permissions.clone()),
            broadcast.http(permissions),
        ];
        let databases = ALL.into_iter().map(database).collect::<Result<_, _>>()?;
        Ok(Self {
            identity,
            notification,
            broadcast,
            directory,
            apis,
            messaging: Some(messaging),
            databases,
            clock: clock.clone(),
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
            self.identity.start(tasks, stop.clone());
        }
        if services.contains(&NOTIFICATION) {
            self.notification.start(tasks, stop.clone());
        }
        if services.contains(&BROADCAST) {
            self.broadcast.start(tasks, stop.clone());
        }
    }
}
