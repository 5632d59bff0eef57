//! A database of its own for one test.

use anyhow::Context;
use plaza_database::{Database, DatabaseSettings, Databases, Login, Schema};
use plaza_kernel::{Clock, ServiceName};
use secrecy::{ExposeSecret, SecretString};

use crate::connect::{connect, with_database, with_login};
use crate::{cluster, process_name, template, unhandled};

/// A clone of a migrated template, with the services' own logins. Dropped with this value; `PLAZA_TEST_KEEP=1` keeps
/// it and prints its URL.
pub struct TestDatabase {
    server: SecretString,
    name: String,
    databases: Databases,
    strict: bool,
}

impl TestDatabase {
    /// A fresh database with these schemas. The first call for a set of migrations makes the template.
    ///
    /// # Panics
    /// When there is no cluster, or the migrations fail.
    pub async fn fresh(schemas: &[Schema]) -> Self {
        match Self::try_fresh(schemas).await {
            Ok(database) => database,
            Err(error) => panic!("no database for this test: {error:#}"),
        }
    }

    async fn try_fresh(schemas: &[Schema]) -> anyhow::Result<Self> {
        let server = cluster::url().await;
        let template = template::ensure(&server, schemas)
            .await
            .context("the template could not be made")?;
        let name = process_name::unique(&Clock::system());
        template::clone(&server, &template, &name)
            .await
            .context("the template could not be cloned")?;
        let databases = Databases::new(settings(&server, &name))?;
        Ok(Self {
            server,
            name,
            databases,
            strict: false,
        })
    }

    /// From now on, rows that nobody handled fail the test when this value is dropped.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// All databases: what the composition root would have.
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// How the composition root would reach this database: the migrator's login and the role key.
    pub fn settings(&self) -> DatabaseSettings {
        settings(&self.server, &self.name)
    }

    /// The database of a service, logged in as its roles.
    ///
    /// # Panics
    /// When the service has no logins here.
    pub fn of(&self, service: ServiceName) -> Database {
        match self.databases.of(service, Login::default()) {
            Ok(database) => database,
            Err(error) => panic!("no database for {service}: {error}"),
        }
    }

    /// The superuser's URL of this database: for assertions only.
    pub fn url(&self) -> SecretString {
        with_database(&self.server, &self.name)
    }

    /// A superuser's connection to this database: for assertions only.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn admin(&self) -> tokio_postgres::Client {
        match connect(&self.url()).await {
            Ok(client) => client,
            Err(error) => panic!("no connection for assertions: {error}"),
        }
    }

    /// Asserts that every outbox row was relayed, every delivery consumed, and none became a dead letter.
    ///
    /// # Panics
    /// With a line for every row that was not.
    pub async fn assert_nothing_unhandled(&self) {
        match unhandled::unhandled(&self.admin().await).await {
            Ok(left) => assert!(left.is_empty(), "left unhandled:\n{}", left.join("\n")),
            Err(error) => panic!("the queues cannot be read: {error}"),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
        if std::env::var("PLAZA_TEST_KEEP").is_ok() {
            eprintln!("kept: {}", self.url().expose_secret());
            return;
        }
        let strict = self.strict && !std::thread::panicking();
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime is not ours to block; the database has to be gone before the process is.
        let left = std::thread::spawn(move || drop_database(&server, &name, strict)).join();
        match left {
            Ok(Ok(left)) if !left.is_empty() => panic!("left unhandled:\n{}", left.join("\n")),
            Ok(Err(error)) if strict => panic!("the queues could not be read: {error:#}"),
            // A leftover is dropped when the cluster is started the next time.
            _ => {}
        }
    }
}

fn drop_database(server: &SecretString, name: &str, strict: bool) -> anyhow::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let left = if strict {
            unhandled::unhandled(&connect(&with_database(server, name)).await?).await?
        } else {
            Vec::new()
        };
        let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
        connect(server).await?.batch_execute(&statement).await?;
        Ok(left)
    })
}

/// Few connections: many tests share the cluster.
pub(crate) fn settings(server: &SecretString, name: &str) -> DatabaseSettings {
    let password = cluster::secret(server, template::MIGRATOR);
    DatabaseSettings {
        url: with_database(&with_login(server, template::MIGRATOR, &password), name),
        role_key: cluster::secret(server, "role key"),
        shared: 1,
        exclusive: 4,
        system: 2,
    }
}
