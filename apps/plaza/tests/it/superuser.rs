//! The database as nobody in Plaza sees it: whole, past every policy. For assertions only.

use std::fs;
use std::process::Command;

use plaza_testkit::TestDatabase;
use secrecy::ExposeSecret;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

use crate::plaza::{Plaza, output, printed};

/// A session of the embedded cluster's superuser.
pub(crate) struct Superuser {
    client: Client,
    /// How PostgreSQL's own programs log in.
    conninfo: String,
}

impl Superuser {
    /// Logs in to the cluster of a Plaza that runs.
    pub(crate) async fn of(plaza: &Plaza) -> Self {
        let postmaster = plaza.postmaster().expect("the cluster runs");
        let password = fs::read_to_string(plaza.data().join("postgres.password")).unwrap();
        let mut config = Config::new();
        config
            .host_path(&postmaster.socket)
            .port(postmaster.port)
            .user("plaza_superuser")
            .dbname("plaza");
        config.password(password.trim());
        #[expect(
            clippy::disallowed_methods,
            reason = "assertions must not go through what they assert about"
        )]
        let (client, connection) = config.connect(NoTls).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with the client")]
        tokio::spawn(connection);
        let conninfo = format!(
            "host={} port={} user=plaza_superuser dbname=plaza password={}",
            postmaster.socket.display(),
            postmaster.port,
            password.trim()
        );
        Self { client, conninfo }
    }

    /// The same for a database of the test cluster.
    pub(crate) async fn at(database: &TestDatabase) -> Self {
        Self {
            client: database.admin().await,
            conninfo: database.url().expose_secret().to_owned(),
        }
    }

    /// All rows of a query.
    pub(crate) async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        self.client
            .query(sql, params)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// The one number of a query.
    pub(crate) async fn number(&self, sql: &str) -> u64 {
        let rows = self.rows(sql, &[]).await;
        u64::try_from(rows[0].get::<_, i64>(0)).unwrap()
    }

    /// What a backup holds: the whole database, as `pg_dump` writes it.
    pub(crate) async fn dump(&self) -> String {
        let mut command = Command::new("pg_dump");
        command.args(["--no-sync", "--dbname", &self.conninfo]);
        printed(&output(command).await)
    }

    /// `schema.table` of every table that has this column.
    pub(crate) async fn tables_with(&self, column: &str) -> Vec<String> {
        let sql = "SELECT format('%I.%I', n.nspname, c.relname)
                     FROM pg_class c
                     JOIN pg_namespace n ON n.oid = c.relnamespace
                     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped
                    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                    ORDER BY 1";
        self.rows(sql, &[&column])
            .await
            .iter()
            .map(|row| row.get(0))
            .collect()
    }
}
