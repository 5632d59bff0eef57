//! The migrator's connection, and the steps it takes.

use std::time::Duration;

use refinery::Target as Until;
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::target::Target;
use super::{MigrateError, PLAZA_SCHEMA, outside};
use crate::connector::{self, Connector};
use crate::roles::{OWNER, service_role, system_role};
use crate::{DatabaseError, DatabaseLimits, tasks};

/// Our advisory lock: one migration at a time in each database. Refinery takes none.
const LOCK: i64 = 0x70_6c61_7a61;
/// How long another migration may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Session {
    pub(super) client: Client,
    driver: JoinHandle<()>,
}

impl Session {
    pub(super) async fn open(url: &SecretString) -> Result<Self, MigrateError> {
        let (client, driver) = login(url).await.map_err(MigrateError::Connect)?;
        let driver = tasks::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "the migrator's connection broke");
            }
        });
        Ok(Self { client, driver })
    }

    /// Returns when the connection is closed.
    pub(super) async fn close(self) {
        drop(self.client);
        // The task ends with the connection, whichever way that ends.
        let _ = self.driver.await;
    }

    /// Waits for other migrations of this database. The lock ends with the connection.
    ///
    /// It is asked for again and again: a statement that waits is a transaction, and the other one waits for all that are
    /// older while it builds an index.
    pub(super) async fn lock(&self) -> Result<(), MigrateError> {
        let ends = Instant::now() + PATIENCE;
        while !self
            .try_lock()
            .await
            .map_err(MigrateError::refused("waiting for another migration"))?
        {
            if Instant::now() > ends {
                return Err(MigrateError::Busy);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn try_lock(&self) -> Result<bool, tokio_postgres::Error> {
        self.client.batch_execute("SET lock_timeout = '5s'").await?;
        let sql = format!("SELECT pg_try_advisory_lock({LOCK})");
        self.client.query_one(&sql, &[]).await?.try_get(0)
    }

    /// The functions that migrations call.
    pub(super) async fn make_plaza_schema(&self) -> Result<(), MigrateError> {
        let sql = format!(
            "CREATE SCHEMA IF NOT EXISTS plaza AUTHORIZATION {OWNER}; SET ROLE {OWNER}; {PLAZA_SCHEMA}; RESET ROLE"
        );
        self.client
            .batch_execute(&sql)
            .await
            .map_err(MigrateError::refused("making schema plaza"))
    }

    /// The schema, its migrations, and the note that all this is done.
    pub(super) async fn reach(&mut self, target: &Target) -> Result<Vec<String>, MigrateError> {
        let schema = target.service;
        self.enter_schema(target)
            .await
            .map_err(MigrateError::refused("making a schema"))?;
        let mut applied = Vec::new();
        for migration in outside::marked(&target.migrations) {
            applied.extend(self.run(target, Until::Version(migration.version() - 1)).await?);
            if self.reach_outside(target, migration).await? {
                applied.push(migration.to_string());
            }
        }
        applied.extend(self.run(target, Until::Latest).await?);
        self.note(target)
            .await
            .map_err(MigrateError::refused("noting what was done"))?;
        Ok(applied
            .into_iter()
            .map(|migration| format!("{schema} {migration}"))
            .collect())
    }

    /// Applies what is missing, one transaction each, up to there. Names what it applied.
    pub(super) async fn run(&mut self, target: &Target, until: Until) -> Result<Vec<String>, MigrateError> {
        let schema = target.service;
        let mut runner = refinery::Runner::new(&target.migrations).set_target(until);
        runner.set_migration_table_name(format!("{schema}.schema_history"));
        let report = runner
            .run_async(&mut self.client)
            .await
            .map_err(|error| MigrateError::sort(schema, error, |version| target.knows(version)))?;
        let applied = report.applied_migrations();
        Ok(applied.iter().map(ToString::to_string).collect())
    }

    async fn enter_schema(&self, target: &Target) -> Result<(), tokio_postgres::Error> {
        let schema = target.service;
        let (service, system) = (service_role(schema), system_role(schema));
        let sql = format!(
            "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {OWNER};
             SET ROLE {OWNER};
             REVOKE ALL ON SCHEMA {schema} FROM PUBLIC;
             GRANT USAGE ON SCHEMA {schema} TO {service}, {system};
             SET search_path = {schema}"
        );
        self.client.batch_execute(&sql).await
    }

    async fn note(&self, target: &Target) -> Result<(), tokio_postgres::Error> {
        let (schema, fingerprint) = (target.service, &target.fingerprint);
        let sql = format!(
            "INSERT INTO plaza.state (schema_name, fingerprint) VALUES ('{schema}', '{fingerprint}')
                 ON CONFLICT (schema_name) DO UPDATE SET fingerprint = excluded.fingerprint;
             RESET ROLE;
             RESET search_path"
        );
        self.client.batch_execute(&sql).await
    }
}

async fn login(url: &SecretString) -> Result<(Client, connector::Driver), DatabaseError> {
    let mut config = connector::parse(url)?;
    config.application_name("plaza migrate");
    Connector::new(config, DatabaseLimits::default().connect)?
        .connect()
        .await
}
