//! The services themselves, and what each gives to the process: a gRPC API, consumers, an HTTP API.

use std::sync::Arc;

use plaza_access::Access;
use plaza_broadcast::Broadcast;
use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, BROADCAST, IDENTITY, NOTIFICATION, TENANCY};
use plaza_identity::{Identity, IdentityConfig};
use plaza_messaging::{Messaging, MessagingSettings};
use plaza_notification::Notification;
use plaza_rpc::Directory;
use plaza_tenancy::{Tenancy, TenancyConfig};
use plaza_web::{PermissionSource, ServiceApi};

use super::Ground;

/// All services of a process.
pub(crate) struct Services {
    pub(crate) identity: Identity,
    pub(crate) tenancy: Tenancy,
    pub(crate) access: Access,
    pub(crate) notification: Notification,
    pub(crate) broadcast: Broadcast,
}

impl Services {
    /// Makes them; connects to nothing yet.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub(super) fn new(
        ground: &Ground<'_>,
        directory: &Directory,
        permissions: Permissions,
    ) -> anyhow::Result<Self> {
        let Ground {
            config, keys, clock, ..
        } = ground;
        let public_url = ground.public_url.clone();
        let identity = IdentityConfig {
            public_url: public_url.clone(),
            ..config.identity.clone()
        };
        let database = |service| ground.database(service);
        Ok(Self {
            identity: Identity::new(
                identity,
                database(IDENTITY)?,
                directory,
                clock.clone(),
                keys.clone(),
            ),
            tenancy: Tenancy::new(
                TenancyConfig { public_url },
                database(TENANCY)?,
                directory,
                clock.clone(),
            ),
            access: Access::new(database(ACCESS)?, permissions, clock.clone()),
            notification: Notification::new(
                config.notification.clone(),
                database(NOTIFICATION)?,
                clock.clone(),
                keys.clone(),
            )?,
            broadcast: Broadcast::new(
                config.broadcast.clone(),
                database(BROADCAST)?,
                directory,
                clock.clone(),
            ),
        })
    }

    /// Lets them be called by each other.
    pub(super) fn answer(&self, directory: &Directory) {
        directory.host(IDENTITY, self.identity.grpc());
        directory.host(TENANCY, self.tenancy.grpc());
        directory.host(ACCESS, self.access.grpc());
        directory.host(NOTIFICATION, self.notification.grpc());
        directory.host(BROADCAST, self.broadcast.grpc());
    }

    /// Relays and consumers of all of them, not started yet.
    ///
    /// # Errors
    /// When a database's settings cannot be used.
    pub(super) fn messaging(&self, ground: &Ground<'_>) -> anyhow::Result<Messaging> {
        let mut messaging = Messaging::in_process(MessagingSettings::default(), ground.clock.clone());
        messaging.host(ground.database(IDENTITY)?, self.identity.subscriptions());
        messaging.host(ground.database(TENANCY)?, self.tenancy.subscriptions());
        messaging.host(ground.database(ACCESS)?, self.access.subscriptions());
        messaging.host(ground.database(NOTIFICATION)?, self.notification.subscriptions());
        messaging.host(ground.database(BROADCAST)?, self.broadcast.subscriptions());
        Ok(messaging)
    }

    /// Their HTTP APIs.
    pub(super) fn apis(&self, permissions: Arc<dyn PermissionSource>) -> Vec<ServiceApi> {
        vec![
            self.identity.http(Arc::clone(&permissions)),
            self.tenancy.http(Arc::clone(&permissions)),
            self.access.http(Arc::clone(&permissions)),
            self.notification.http(Arc::clone(&permissions)),
            self.broadcast.http(permissions),
        ]
    }
}
