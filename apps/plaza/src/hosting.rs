//! What a process hosts, what it works on, and what it finds elsewhere.

use plaza_contracts::services::{ALL, GATEWAY, IDENTITY, NOTIFICATION, TENANCY};
use plaza_kernel::ServiceName;

use crate::config::{Config, ConfigError};

/// What a process is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Duty {
    /// `up`: everything, with what a laptop needs.
    Up,
    /// `serve`: the front door and all services, or some of them, on the configured database.
    Serve(Vec<Part>),
    /// `worker`: the background work of these services, without a public listener.
    Work(Vec<ServiceName>),
}

/// Something that `serve` can host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The front door.
    Gateway,
    /// A service.
    Service(ServiceName),
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Gateway => GATEWAY.as_str(),
            Self::Service(service) => service.as_str(),
        }
    }

    /// All that there is.
    pub(crate) fn all() -> Vec<Self> {
        let services = ALL.into_iter().map(Self::Service);
        std::iter::once(Self::Gateway).chain(services).collect()
    }
}

impl std::fmt::Display for Duty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (command, names): (_, Vec<&str>) = match self {
            Self::Up => ("up", Vec::new()),
            Self::Serve(parts) if *parts == Part::all() => ("serve", Vec::new()),
            Self::Serve(parts) => ("serve", parts.iter().map(|part| part.name()).collect()),
            Self::Work(services) if *services == ALL => ("worker", Vec::new()),
            Self::Work(services) => (
                "worker",
                services.iter().map(|service| service.as_str()).collect(),
            ),
        };
        f.write_str(command)?;
        names.into_iter().try_for_each(|name| write!(f, " {name}"))
    }
}

/// Which parts of Plaza are in a process. What is present nowhere else is assembled here; the rest is reached by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosting {
    /// Whether the front door is here.
    pub(crate) gateway: bool,
    /// The services whose APIs are here for others too.
    pub(crate) serves: Vec<ServiceName>,
    /// The services whose events are consumed and whose due work is done here.
    pub(crate) works: Vec<ServiceName>,
    /// The services that are assembled here: those above, and for a worker those that it has no address of.
    pub(crate) assembles: Vec<ServiceName>,
}

impl Hosting {
    /// Everything.
    pub(crate) fn whole() -> Self {
        Self {
            gateway: true,
            serves: ALL.to_vec(),
            works: ALL.to_vec(),
            assembles: ALL.to_vec(),
        }
    }

    /// What follows from the duty of a process and from where the other services are.
    ///
    /// # Errors
    /// Lists what a process that hosts a part has to be told and was not.
    pub(crate) fn of(duty: &Duty, config: &Config) -> Result<Self, ConfigError> {
        match duty {
            Duty::Up => Ok(Self::whole()),
            Duty::Serve(parts) => Self::serving(parts, config),
            Duty::Work(services) => Self::working(services, config),
        }
    }

    fn serving(parts: &[Part], config: &Config) -> Result<Self, ConfigError> {
        let hosted = |service: &ServiceName| parts.contains(&Part::Service(*service));
        let services: Vec<_> = ALL.into_iter().filter(hosted).collect();
        let hosting = Self {
            gateway: parts.contains(&Part::Gateway),
            serves: services.clone(),
            works: services.clone(),
            assembles: services,
        };
        hosting.check(config)?;
        Ok(hosting)
    }

    /// A worker is beside others. Over a broker it works on what it is named for and asks the others, where it knows their
    /// addresses; without one, events are consumed by whoever is there, so everything has to be.
    fn working(services: &[ServiceName], config: &Config) -> Result<Self, ConfigError> {
        let alone = config.events.rabbitmq_url.is_none();
        let elsewhere = |service: &ServiceName| {
            !alone && !services.contains(service) && !config.services.of(*service).is_empty()
        };
        let hosting = Self {
            gateway: false,
            serves: Vec::new(),
            works: services.to_vec(),
            assembles: ALL.into_iter().filter(|service| !elsewhere(service)).collect(),
        };
        hosting.check(config)?;
        Ok(hosting)
    }

    /// Whether everything is in this process.
    pub(crate) fn is_whole(&self) -> bool {
        self.assembles.len() == ALL.len()
    }

    /// Whether a service is assembled here.
    pub(crate) fn has(&self, service: ServiceName) -> bool {
        self.assembles.contains(&service)
    }

    /// Whether a service is here that keeps secrets sealed in its database.
    pub(crate) fn seals(&self) -> bool {
        self.has(IDENTITY) || self.has(TENANCY) || self.has(NOTIFICATION)
    }

    /// The services that are reached by address.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = ServiceName> {
        ALL.into_iter().filter(|service| !self.has(*service))
    }

    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        if self.is_whole() {
            return Ok(());
        }
        let mut missing: Vec<String> = self
            .elsewhere()
            .filter(|service| config.services.of(*service).is_empty())
            .map(|service| {
                let upper = service.as_str().to_ascii_uppercase();
                format!("services.{service} (PLAZA_SERVICES__{upper}): where it runs, as this process does not host it")
            })
            .collect();
        if config.internal.key.is_none() && config.internal.signing_keys.given().next().is_none() {
            missing.push(
                "internal.key (PLAZA_INTERNAL_KEY), or internal.signing_keys and internal.public_keys: what processes \
                 know each other by"
                    .to_owned(),
            );
        }
        if !self.assembles.is_empty() && config.events.rabbitmq_url.is_none() {
            missing.push(
                "events.rabbitmq_url (RABBITMQ_URL): how events reach the services of other processes"
                    .to_owned(),
            );
        }
        match missing.is_empty() {
            true => Ok(()),
            false => Err(ConfigError::Missing(missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::{ACCESS, BROADCAST};

    use super::*;
    use crate::config::{Environment, Flags};

    const EVERYWHERE: &[(&str, &str)] = &[
        ("services.identity", "http://127.0.0.1:1"),
        ("services.tenancy", "http://127.0.0.1:2"),
        ("services.access", "http://127.0.0.1:3"),
        ("services.notification", "http://127.0.0.1:4, http://127.0.0.1:5"),
        ("services.broadcast", "http://127.0.0.1:6"),
    ];
    const KEY: (&str, &str) = ("internal.key", "0123456789abcdef0123456789abcdef");
    const BROKER: (&str, &str) = ("events.rabbitmq_url", "amqp://127.0.0.1");

    fn config(values: &[&[(&'static str, &str)]]) -> Config {
        let mut flags = Flags::default();
        for (key, value) in values.iter().copied().flatten() {
            flags.push(key, Some(value));
        }
        Config::load(&flags, &Environment::of(std::iter::empty())).unwrap()
    }

    fn serve(names: &[ServiceName]) -> Duty {
        Duty::Serve(names.iter().map(|name| Part::Service(*name)).collect())
    }

    #[test]
    fn a_process_that_hosts_a_part_says_all_that_it_has_to_be_told() {
        let told = Hosting::of(&serve(&[IDENTITY]), &config(&[]))
            .unwrap_err()
            .to_string();
        for name in [
            "PLAZA_SERVICES__TENANCY",
            "PLAZA_SERVICES__BROADCAST",
            "PLAZA_INTERNAL_KEY",
            "RABBITMQ_URL",
        ] {
            assert!(told.contains(name), "{told}");
        }
        assert!(!told.contains("PLAZA_SERVICES__IDENTITY"), "{told}");
    }

    #[test]
    fn what_is_hosted_here_is_not_looked_for_elsewhere() {
        let hosting = Hosting::of(
            &serve(&[IDENTITY, ACCESS]),
            &config(&[EVERYWHERE, &[KEY, BROKER]]),
        );
        let hosting = hosting.unwrap();
        assert_eq!(hosting.assembles, [IDENTITY, ACCESS]);
        assert_eq!(
            hosting.elsewhere().collect::<Vec<_>>(),
            [TENANCY, NOTIFICATION, BROADCAST]
        );
        assert!(!hosting.gateway);
    }

    #[test]
    fn the_front_door_alone_needs_no_broker() {
        let gateway = Duty::Serve(vec![Part::Gateway]);
        let hosting = Hosting::of(&gateway, &config(&[EVERYWHERE, &[KEY]])).unwrap();
        assert!(hosting.gateway && hosting.assembles.is_empty());
    }

    #[test]
    fn everything_in_one_process_needs_nothing() {
        assert_eq!(
            Hosting::of(&Duty::Serve(Part::all()), &config(&[])).unwrap(),
            Hosting::whole()
        );
    }

    #[test]
    fn a_worker_without_a_broker_consumes_for_everybody() {
        let worker = Duty::Work(vec![NOTIFICATION]);
        let hosting = Hosting::of(&worker, &config(&[EVERYWHERE])).unwrap();
        assert!(hosting.is_whole() && hosting.serves.is_empty());
        assert_eq!(hosting.works, [NOTIFICATION]);
    }

    #[test]
    fn a_worker_over_a_broker_asks_those_whose_address_it_has() {
        let worker = Duty::Work(vec![NOTIFICATION]);
        let known = &EVERYWHERE[..3];
        let hosting = Hosting::of(&worker, &config(&[known, &[KEY, BROKER]])).unwrap();
        assert_eq!(hosting.assembles, [NOTIFICATION, BROADCAST]);
    }
}
