//! Migrations outside of a transaction: one statement each that PostgreSQL does not run inside of one.
//!
//! `CREATE INDEX CONCURRENTLY` lets a table be written while its index is built. Broken off, it leaves an index that is
//! not valid, and a crash right after it one that is valid and not in the history. So what is invalid is dropped first, and
//! the statement says `IF NOT EXISTS`: whoever migrates next goes on from there.

use refinery::{Migration, Target as Until};

use super::MigrateError;
use super::session::Session;
use super::target::Target;

/// The first line of such a migration.
const MARK: &str = "-- Outside of a transaction.\n";

/// Those of these migrations that run outside of a transaction.
pub(super) fn marked(migrations: &[Migration]) -> impl Iterator<Item = &Migration> {
    migrations
        .iter()
        .filter(|migration| migration.sql().is_some_and(|sql| sql.starts_with(MARK)))
}

impl Session {
    /// Applies it, unless it was. Says whether it did.
    pub(super) async fn reach_outside(
        &mut self,
        target: &Target,
        migration: &Migration,
    ) -> Result<bool, MigrateError> {
        let run = self.run_outside(target, migration).await;
        let applied = run.map_err(|source| MigrateError::Outside {
            schema: target.service,
            migration: migration.to_string(),
            source,
        })?;
        if applied {
            // It is in the history, with its checksum, without being run again.
            self.run(target, Until::FakeVersion(migration.version())).await?;
        }
        Ok(applied)
    }

    async fn run_outside(
        &self,
        target: &Target,
        migration: &Migration,
    ) -> Result<bool, tokio_postgres::Error> {
        let (schema, sql) = (target.service, migration.sql().unwrap_or_default());
        let history = format!("SELECT FROM {schema}.schema_history WHERE version = $1");
        if self
            .client
            .query_opt(&history, &[&migration.version()])
            .await?
            .is_some()
        {
            return Ok(false);
        }
        let left = "SELECT format('%I.%I', n.nspname, c.relname)
                      FROM pg_index i
                      JOIN pg_class c ON c.oid = i.indexrelid
                      JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = $1 AND NOT i.indisvalid AND $2 ~ ('\\m' || c.relname || '\\M')";
        for row in self.client.query(left, &[&schema.as_str(), &sql]).await? {
            let index: String = row.try_get(0)?;
            tracing::warn!(index, "an index that was not built to its end is dropped");
            self.client
                .batch_execute(&format!("DROP INDEX CONCURRENTLY {index}"))
                .await?;
        }
        // It waits for the transactions that are older than itself.
        self.client.batch_execute("SET lock_timeout = '60s'").await?;
        self.client.batch_execute(sql).await?;
        self.client.batch_execute("SET lock_timeout = '5s'").await?;
        Ok(true)
    }
}
