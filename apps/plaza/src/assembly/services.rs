//! The services themselves, and what each gives to the process: a gRPC API, consumers, an HTTP API, schedules.

use std::sync::Arc;

use plaza_access::Access;
use plaza_broadcast::Broadcast;
use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, BROADCAST, IDENTITY, NOTIFICATION, TENANCY};
use plaza_database::Database;
use plaza_identity::{Identity, IdentityConfig};
use plaza_kernel::ServiceName;
use plaza_messaging::Subscriptions;
use plaza_notification::{Notification, NotificationConfig};
use plaza_rpc::Directory;
use plaza_schedule::Schedules;
use plaza_tenancy::{Tenancy, TenancyConfig};
use plaza_web::{PermissionSource, ServiceApi};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Ground;

/// The services that are assembled in a process.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) identity: Option<Identity>,
    pub(crate) tenancy: Option<Tenancy>,
    pub(crate) access: Option<Access>,
    pub(crate) notification: Option<Notification>,
    pub(crate) broadcast: Option<Broadcast>,
}

impl Services {
    /// Makes them; connects to nothing yet. Each acts in its own name when it calls others.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub(super) fn new(
        ground: &Ground<'_>,
        wanted: &[ServiceName],
        directory: &Directory,
        permissions: &Permissions,
    ) -> anyhow::Result<Self> {
        let mut services = Self::default();
        for service in wanted {
            let database = ground.database(*service)?;
            services.add(ground, database, &directory.acting_as(*service), permissions)?;
        }
        Ok(services)
    }

    fn add(
        &mut self,
        ground: &Ground<'_>,
        database: Database,
        directory: &Directory,
        permissions: &Permissions,
    ) -> anyhow::Result<()> {
        let Ground { config, clock, .. } = ground;
        let public_url = ground.public_url.clone();
        match database.service() {
            IDENTITY => {
                let identity = IdentityConfig {
                    public_url,
                    ..config.identity.clone()
                };
                self.identity = Some(Identity::new(
                    identity,
                    database,
                    directory,
                    clock.clone(),
                    ground.keys()?,
                ));
            }
            TENANCY => {
                let tenancy = TenancyConfig { public_url };
                let keys = ground.keys()?;
                self.tenancy = Some(Tenancy::new(tenancy, database, directory, clock.clone(), keys));
            }
            ACCESS => {
                let cached = permissions.clone();
                self.access = Some(Access::new(database, cached, directory, clock.clone()));
            }
            NOTIFICATION => {
                let notification = NotificationConfig {
                    public_url,
                    ..config.notification.clone()
                };
                self.notification = Some(Notification::new(
                    notification,
                    database,
                    directory,
                    clock.clone(),
                    ground.keys()?,
                )?);
            }
            BROADCAST => {
                let broadcast = config.broadcast.clone();
                self.broadcast = Some(Broadcast::new(broadcast, database, directory, clock.clone()));
            }
            other => anyhow::bail!("nobody knows how to make {other}"),
        }
        Ok(())
    }

    /// Lets them be called by each other.
    pub(super) fn answer(&self, directory: &Directory) {
        if let Some(identity) = &self.identity {
            directory.host(IDENTITY, identity.grpc());
        }
        if let Some(tenancy) = &self.tenancy {
            directory.host(TENANCY, tenancy.grpc());
        }
        if let Some(access) = &self.access {
            directory.host(ACCESS, access.grpc());
        }
        if let Some(notification) = &self.notification {
            directory.host(NOTIFICATION, notification.grpc());
        }
        if let Some(broadcast) = &self.broadcast {
            directory.host(BROADCAST, broadcast.grpc());
        }
    }

    /// What a service consumes; None if it is not here.
    pub(super) fn subscriptions(&self, service: ServiceName) -> Option<Subscriptions> {
        match service {
            IDENTITY => self.identity.as_ref().map(Identity::subscriptions),
            TENANCY => self.tenancy.as_ref().map(Tenancy::subscriptions),
            ACCESS => self.access.as_ref().map(Access::subscriptions),
            NOTIFICATION => self.notification.as_ref().map(Notification::subscriptions),
            BROADCAST => self.broadcast.as_ref().map(Broadcast::subscriptions),
            _ => None,
        }
    }

    /// What a service does by the calendar; None if it does nothing by it, or is not here.
    pub(super) fn schedules(&self, service: ServiceName) -> Option<Schedules> {
        match service {
            IDENTITY => self.identity.as_ref().map(Identity::schedules),
            TENANCY => self.tenancy.as_ref().map(Tenancy::schedules),
            NOTIFICATION => self.notification.as_ref().map(Notification::schedules),
            BROADCAST => self.broadcast.as_ref().map(Broadcast::schedules),
            _ => None,
        }
    }

    /// Starts the due work of a service.
    pub(super) fn start(&self, service: ServiceName, tasks: &TaskTracker, stop: &CancellationToken) {
        match service {
            IDENTITY => {
                if let Some(identity) = &self.identity {
                    identity.start(tasks, stop.clone());
                }
            }
            NOTIFICATION => {
                if let Some(notification) = &self.notification {
                    notification.start(tasks, stop.clone());
                }
            }
            BROADCAST => {
                if let Some(broadcast) = &self.broadcast {
                    broadcast.start(tasks, stop.clone());
                }
            }
            _ => {}
        }
    }

    /// Their HTTP APIs.
    pub(super) fn apis(&self, permissions: &Arc<dyn PermissionSource>) -> Vec<ServiceApi> {
        let permissions = || Arc::clone(permissions);
        let all = [
            self.identity.as_ref().map(|service| service.http(permissions())),
            self.tenancy.as_ref().map(|service| service.http(permissions())),
            self.access.as_ref().map(|service| service.http(permissions())),
            self.notification
                .as_ref()
                .map(|service| service.http(permissions())),
            self.broadcast.as_ref().map(|service| service.http(permissions())),
        ];
        all.into_iter().flatten().collect()
    }
}
