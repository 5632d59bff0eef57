//! A service's database: two logins, two doors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plaza_kernel::{Scope, ServiceName, TenantId};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;
use tokio_postgres::Config;

use crate::connector::{self, Connector};
use crate::pool::{Lease, Pool};
use crate::read_door::{ReadDoor, ReadSettings};
use crate::signals::Signals;
use crate::{
    DatabaseError, DatabaseLimits, DatabaseSettings, Login, Params, PlatformTx, Query, Row, SystemTx,
    TenantTx, Transaction, logins, roles,
};

/// All databases of this process. Connections are lazy.
#[derive(Clone)]
pub struct Databases(Arc<Shelf>);

struct Shelf {
    settings: DatabaseSettings,
    limits: DatabaseLimits,
    address: Config,
    made: Mutex<HashMap<ServiceName, Database>>,
}

impl Databases {
    /// Reads the settings; connects to nothing yet.
    pub fn new(settings: DatabaseSettings) -> Result<Self, DatabaseError> {
        Self::with_limits(settings, DatabaseLimits::default())
    }

    /// The same with limits of its own.
    pub fn with_limits(settings: DatabaseSettings, limits: DatabaseLimits) -> Result<Self, DatabaseError> {
        let address = connector::parse(&settings.url)?;
        Ok(Self(Arc::new(Shelf {
            settings,
            limits,
            address,
            made: Mutex::default(),
        })))
    }

    /// The database of a service. The first call decides the login; later ones get the same connections.
    pub fn of(&self, service: ServiceName, login: Login) -> Result<Database, DatabaseError> {
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = made.get(&service) {
            return Ok(database.clone());
        }
        let database = Database::new(&self.0, service, &login)?;
        made.insert(service, database.clone());
        Ok(database)
    }
}

impl Shelf {
    /// Where and as whom: the derived login unless another is given.
    fn login(&self, role: &str, given: Option<&SecretString>) -> Result<Config, DatabaseError> {
        match given {
            Some(url) => connector::parse(url),
            None => {
                let mut config = self.address.clone();
                let password = roles::password(&self.settings.role_key, role);
                config.user(role).password(password.expose_secret());
                Ok(config)
            }
        }
    }

    fn connector(
        &self,
        service: ServiceName,
        mut config: Config,
        purpose: &str,
        statement_timeout: Duration,
    ) -> Result<Connector, DatabaseError> {
        let mut settings = vec![
            ("search_path", service.to_string()),
            // Transactions that write say so; anything outside of one cannot.
            ("default_transaction_read_only", "on".to_owned()),
            ("statement_timeout", statement_timeout.as_millis().to_string()),
            (
                "idle_in_transaction_session_timeout",
                self.limits.idle_in_transaction.as_millis().to_string(),
            ),
        ];
        if purpose == READ {
            // Preparing waits for locks as well, and everybody on the connection with it.
            settings.push((
                "lock_timeout",
                self.limits.read_lock_timeout.as_millis().to_string(),
            ));
        }
        connector::add_settings(&mut config, &settings);
        config.application_name(format!("plaza {service} {purpose}"));
        Connector::new(config, self.limits.connect)
    }

    fn read_settings(&self) -> ReadSettings {
        let DatabaseLimits {
            reads_at_once,
            read_wait,
            read_timeout,
            read_lock_timeout,
            read_silence,
            ..
        } = self.limits;
        ReadSettings {
            size: self.settings.shared,
            seats: reads_at_once,
            patience: read_wait,
            silence: read_silence,
            begin: format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
                read_timeout.as_millis(),
                read_lock_timeout.as_millis(),
            ),
        }
    }
}

const READ: &str = "read";
const WRITE: &str = "write";
const SYSTEM: &str = "system";

/// A service's database. Cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Doors>);

struct Doors {
    service: ServiceName,
    reads: Arc<ReadDoor>,
    exclusive: Arc<Pool>,
    system: Arc<Pool>,
    signals: Arc<Signals>,
}

// Not registered: the registry cannot be used inside the crate that declares it.
const PING: Query<(), (i32,)> = Query::declared("SELECT 1");
const MAY_STAGE: Query<(), (bool,)> =
    Query::declared("SELECT has_database_privilege(current_database(), 'TEMPORARY')");

impl Database {
    fn new(shelf: &Shelf, service: ServiceName, login: &Login) -> Result<Self, DatabaseError> {
        let DatabaseLimits {
            read_timeout,
            statement_timeout,
            system_statement_timeout,
            transaction_wait,
            ..
        } = shelf.limits;
        let own = shelf.login(&roles::service_role(service), login.service.as_ref())?;
        let system = shelf.login(&roles::system_role(service), login.system.as_ref())?;
        let open = |door| metrics::gauge!("plaza_database_connections", "service" => service.as_str(), "door" => door);
        let pool = |connector, size, door| Arc::new(Pool::new(connector, size, transaction_wait, open(door)));
        let flights = metrics::counter!("plaza_database_reads_total", "service" => service.as_str());
        Ok(Self(Arc::new(Doors {
            service,
            reads: Arc::new(ReadDoor::new(
                shelf.connector(service, own.clone(), READ, read_timeout)?,
                shelf.read_settings(),
                open(READ),
                flights,
            )),
            exclusive: pool(
                shelf.connector(service, own, WRITE, statement_timeout)?,
                shelf.settings.exclusive,
                WRITE,
            ),
            system: pool(
                shelf.connector(service, system, SYSTEM, system_statement_timeout)?,
                shelf.settings.system,
                SYSTEM,
            ),
            signals: Arc::default(),
        })))
    }

    /// Whose it is.
    pub fn service(&self) -> ServiceName {
        self.0.service
    }

    /// Refuses a login that is a superuser, bypasses row-level security, owns tables, may create roles or is a member
    /// of another role, and one that is not `plaza_<service>` or, at the system door, `plaza_<service>_system`.
    pub async fn check_logins(&self) -> Result<(), DatabaseError> {
        let Doors {
            service,
            exclusive,
            system,
            ..
        } = &*self.0;
        logins::check(exclusive.lease().await?, &roles::service_role(*service)).await?;
        logins::check(system.lease().await?, &roles::system_role(*service)).await
    }

    /// Whether the database answers: for readiness.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.read_platform(&PING, ()).await.map(drop)
    }

    /// Whether its login may make temporary tables, as everybody may unless somebody took that away from the database:
    /// what [`Transaction::copy_into`] needs.
    pub async fn may_stage(&self) -> Result<bool, DatabaseError> {
        let answer = self.read_platform(&MAY_STAGE, ()).await?;
        Ok(answer.first().is_some_and(|(may,)| *may))
    }

    /// One read in its own read-only transaction, in one round trip. At most 500 rows and 250 ms.
    pub async fn read<P: Params, T: Row>(
        &self,
        tenant: TenantId,
        query: &Query<P, T>,
        params: P,
    ) -> Result<Vec<T>, DatabaseError> {
        self.0.reads.read(Scope::Tenant(tenant), query, params).await
    }

    /// The same for the platform itself: no tenant's rows are seen.
    pub async fn read_platform<P: Params, T: Row>(
        &self,
        query: &Query<P, T>,
        params: P,
    ) -> Result<Vec<T>, DatabaseError> {
        self.0.reads.read(Scope::Platform, query, params).await
    }

    /// A transaction of one tenant. Sends nothing yet.
    pub fn begin(&self, tenant: TenantId) -> TenantTx {
        TenantTx::new(self.transaction(Scope::Tenant(tenant), &self.0.exclusive), tenant)
    }

    /// A transaction of the platform itself. Sends nothing yet.
    pub fn begin_platform(&self) -> PlatformTx {
        PlatformTx::new(self.transaction(Scope::Platform, &self.0.exclusive))
    }

    /// A transaction of the system login. Sends nothing yet.
    pub fn begin_system(&self) -> SystemTx {
        SystemTx::new(self.transaction(Scope::Platform, &self.0.system))
    }

    fn transaction(&self, scope: Scope, pool: &Arc<Pool>) -> Transaction {
        Transaction::new(scope, Arc::clone(pool), Arc::clone(&self.0.signals))
    }

    /// A named signal inside this process: woken by `signal_on_commit` and by [`Database::signal`]'s holders.
    ///
    /// A commit wakes all who wait, and leaves one permit, so a single waiter that is busy at that moment misses
    /// nothing.
    pub fn signal(&self, name: &'static str) -> Arc<Notify> {
        self.0.signals.get(name)
    }

    pub(crate) async fn lease(&self) -> Result<Lease, DatabaseError> {
        self.0.exclusive.lease().await
    }

    pub(crate) async fn lease_system(&self) -> Result<Lease, DatabaseError> {
        self.0.system.lease().await
    }
}
