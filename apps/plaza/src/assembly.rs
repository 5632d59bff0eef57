//! What is built of what. Only here are implementations named; a service knows the others by their contracts.

mod denials;
#[cfg(test)]
mod isolation;
mod services;
pub(crate) mod transport;

use std::sync::Arc;

use anyhow::Context;
use plaza_audit::{Chainer, ChainerSettings, Denials};
use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, GATEWAY};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases, Schema};
use plaza_gateway::{Gateway, Upstream, Upstreams};
use plaza_kernel::{Clock, ServiceName};
use plaza_messaging::{Messaging, RabbitMq};
use plaza_rpc::{Addresses, Directory, HealthSettings, InternalKeys, RpcSettings};
use plaza_schedule::{ScheduleSettings, Scheduler};
use plaza_web::ServiceApi;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::hosting::Hosting;
use services::Services;

/// What services are made of.
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a Config,
    /// Which parts are wanted.
    pub(crate) hosting: &'a Hosting,
    /// None where no service is assembled.
    pub(crate) databases: Option<&'a Databases>,
    /// What secrets at rest are sealed with; None where nobody here seals anything.
    pub(crate) keys: Option<KeyRing>,
    /// What this process proves its services' names with to others; None where everything is in one process and nobody
    /// else calls.
    pub(crate) internal_keys: Option<InternalKeys>,
    pub(crate) clock: Clock,
    /// The origin that links are made of.
    pub(crate) public_url: String,
}

impl Ground<'_> {
    /// The keys of a service that seals.
    fn keys(&self) -> anyhow::Result<KeyRing> {
        self.keys.clone().context("encryption_key is not set")
    }

    /// The database of a service, with the configured login if there is one.
    fn database(&self, service: ServiceName) -> anyhow::Result<Database> {
        let login = self.config.logins.get(&service).cloned().unwrap_or_default();
        let databases = self.databases.context("there is no database")?;
        databases
            .of(service, login)
            .with_context(|| format!("the database settings of {service}"))
    }
}

/// The parts of Plaza that are in this process, and what connects them with each other and with the rest.
pub(crate) struct Assembly {
    pub(crate) services: Services,
    pub(crate) directory: Directory,
    /// The HTTP APIs of the services that are assembled here.
    pub(crate) apis: Vec<ServiceApi>,
    pub(crate) hosting: Hosting,
    pub(crate) internal_keys: Option<InternalKeys>,
    /// The services that are reached by address.
    pub(crate) remotes: Vec<Addresses>,
    pub(crate) broker: Option<Arc<RabbitMq>>,
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
        let hosting = ground.hosting.clone();
        let directory = directory(ground);
        let remotes = locate(ground.config, &hosting, &directory)?;
        // One memory of permissions for all services of a process: what one hears of, all know.
        let asks = hosting.assembles.first().copied().unwrap_or(GATEWAY);
        let access = directory.acting_as(asks).transport(ACCESS);
        let permissions = Permissions::new(access, ground.clock.clone());
        let services = Services::new(ground, &hosting.assembles, &directory, &permissions)?;
        services.answer(&directory);
        let databases = hosting.assembles.iter().map(|service| ground.database(*service));
        let databases = databases.collect::<Result<Vec<_>, _>>()?;
        let apis = services.apis(&(Arc::new(permissions) as _)).into_iter();
        let apis = apis.map(
            |api| match databases.iter().find(|one| one.service() == api.service) {
                Some(database) => denials::told(api, Denials::new(database.clone(), ground.clock.clone())),
                None => api,
            },
        );
        let apis = apis.collect();
        let (messaging, broker) = transport::messaging(ground, &services)?;
        Ok(Self {
            apis,
            messaging: Some(messaging),
            internal_keys: ground.internal_keys.clone(),
            clock: ground.clock.clone(),
            hosting,
            remotes,
            broker,
            databases,
            services,
            directory,
        })
    }

    /// The databases of the services that are assembled here.
    pub(crate) fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The HTTP APIs of a service, if it is assembled here.
    pub(crate) fn api(&self, service: ServiceName) -> Option<&ServiceApi> {
        self.apis.iter().find(|api| api.service == service)
    }

    /// The front door before these operations: those of all services, wherever they are.
    ///
    /// # Errors
    /// When `routes.yaml` or another setting of it cannot be used.
    pub(crate) fn gateway(&self, config: &Config, catalogue: &[ServiceApi]) -> anyhow::Result<Gateway> {
        let mut settings = config.gateway.clone();
        settings.cors_origins.extend(config.server.frontend_url.clone());
        let here = self.apis.iter().fold(Upstreams::new(), |upstreams, api| {
            upstreams.with(api.service, Upstream::Local(api.router.clone()))
        });
        let signer = || {
            let keys = self.internal_keys.as_ref();
            keys.and_then(|keys| keys.signer(GATEWAY, self.clock.clone()))
                .context("internal.signing_keys has no key of the gateway")
        };
        let upstreams = self
            .remotes
            .iter()
            .try_fold(here, |upstreams, addresses| -> anyhow::Result<_> {
                let upstream = Upstream::remote(addresses.clone(), signer()?, settings.remote);
                Ok(upstreams.with(addresses.service(), upstream))
            })?;
        let operations = catalogue.iter().flat_map(|api| api.routes.clone()).collect();
        let directory = self.directory.acting_as(GATEWAY);
        Gateway::new(settings, upstreams, operations, &directory, self.clock.clone())
            .context("the gateway cannot be set up")
    }

    /// Starts relays and consumers. Once; in process, only one that hosts every consumer may relay: an event must not
    /// be taken for consumed because nobody here wants it.
    pub(crate) fn start_messaging(&mut self, tasks: &TaskTracker, stop: &CancellationToken) {
        if let Some(messaging) = self.messaging.take() {
            messaging.start(tasks, stop.clone());
        }
    }

    /// Starts the due work of these services, what they do by the calendar, and the chaining of their audit.
    pub(crate) fn start(&self, services: &[ServiceName], tasks: &TaskTracker, stop: &CancellationToken) {
        for service in services {
            self.services.start(*service, tasks, stop);
            let database = self.databases.iter().find(|one| one.service() == *service);
            if let Some(database) = database {
                Chainer::new(database.clone(), &self.clock, ChainerSettings::default())
                    .start(tasks, stop.clone());
            }
            if let (Some(database), Some(schedules)) = (database, self.services.schedules(*service)) {
                let settings = ScheduleSettings::default();
                Scheduler::new(database.clone(), schedules, self.clock.clone(), settings)
                    .start(tasks, stop.clone());
            }
        }
    }
}

/// Nothing hosted yet; calls to other processes are signed with the caller's own key.
fn directory(ground: &Ground<'_>) -> Directory {
    let directory = Directory::new(RpcSettings::default()).with_callers(plaza_contracts::callers::may_call);
    match &ground.internal_keys {
        Some(keys) => directory.with_keys(keys.clone(), ground.clock.clone()),
        None => directory,
    }
}

/// The services of other processes.
fn locate(config: &Config, hosting: &Hosting, directory: &Directory) -> anyhow::Result<Vec<Addresses>> {
    let located = hosting.elsewhere().map(|service| {
        let urls = config.services.of(service).iter();
        let urls: Vec<http::Uri> = urls
            .map(|url| url.parse())
            .collect::<Result<_, _>>()
            .with_context(|| format!("services.{service} has an address that is none"))?;
        let addresses = Addresses::new(service, urls, HealthSettings::default())
            .with_context(|| format!("services.{service} cannot be used"))?;
        directory.locate(service, addresses.clone());
        anyhow::Ok(addresses)
    });
    located.collect()
}

/// Every service there is, without a database or anybody to call: for what can be told without them, such as which
/// operations there are.
///
/// # Errors
/// When a setting cannot be used.
pub(crate) fn catalogue(config: &Config, clock: &Clock) -> anyhow::Result<Vec<ServiceApi>> {
    Ok(nowhere(config, clock)?.apis)
}

fn nowhere(config: &Config, clock: &Clock) -> anyhow::Result<Assembly> {
    let nowhere = plaza_database::DatabaseSettings {
        url: "postgresql://nobody@127.0.0.1:1/nothing".into(),
        role_key: "none".into(),
        shared: 1,
        exclusive: 1,
        system: 1,
    };
    let databases = Databases::new(nowhere)?;
    let mut config = config.clone();
    config.events.rabbitmq_url = None;
    Assembly::new(&Ground {
        config: &config,
        hosting: &Hosting::whole(),
        databases: Some(&databases),
        keys: Some(KeyRing::parse(&KeyRing::generate())?),
        internal_keys: None,
        clock: clock.clone(),
        public_url: "http://localhost".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::ALL;
    use plaza_contracts::topology::TOPOLOGY;
    use plaza_kernel::topology::Reader;

    use super::*;
    use crate::config::{Environment, Flags};

    /// What each service consumes: the service, its consumer, and the event.
    fn consumers() -> Vec<(ServiceName, &'static str, &'static str)> {
        // Another test may have been quicker.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = Config::load(&Flags::default(), &Environment::of(std::iter::empty())).unwrap();
        let assembly = nowhere(&config, &Clock::system()).unwrap();
        ALL.into_iter()
            .flat_map(|service| {
                let subscriptions = assembly.services.subscriptions(service).unwrap();
                let names: Vec<_> = subscriptions.names().collect();
                names
                    .into_iter()
                    .map(move |(consumer, event)| (service, consumer, event))
            })
            .collect()
    }

    #[test]
    fn every_consumer_has_a_queue_that_its_event_is_routed_to() {
        let consumers = consumers();
        for (_, consumer, event) in &consumers {
            assert!(TOPOLOGY.serves(consumer, event), "{consumer} of {event}");
        }
        assert!(consumers.len() > 5, "only {}", consumers.len());
        assert_eq!(TOPOLOGY.problems(), Vec::<String>::new());
    }

    // What lies in a queue that nobody reads waits for ever, and nothing says so.
    #[test]
    fn every_queue_of_ours_is_read_by_the_service_that_it_is_named_after() {
        let consumers = consumers();
        let mut queues = 0;
        for queue in TOPOLOGY.queues {
            let Reader::Consumer(name) = queue.reader else {
                continue;
            };
            let (service, _) = name.split_once('.').unwrap();
            let read: Vec<_> = consumers
                .iter()
                .filter(|(of, consumer, _)| of.as_str() == service && *consumer == name)
                .map(|(_, _, event)| *event)
                .collect();
            assert_eq!(read, queue.keys, "{name}");
            queues += 1;
        }
        assert_eq!(queues, consumers.len(), "each consumer has a queue of its own");
    }
}
