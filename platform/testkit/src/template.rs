//! Migrated template databases, made once per set of migrations and cloned for every test.

use anyhow::{Context, Result};
use plaza_database::Schema;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::cluster;
use crate::connect::connect;
use crate::test_database::settings;

/// The role that migrates test databases: what `plaza_migrator` is on a laptop, no superuser.
pub(crate) const MIGRATOR: &str = "plaza_test_migrator";

/// `pg_advisory_lock` of whoever makes a template. One for all of them: roles belong to the whole cluster.
const MAKING: i64 = 0x706c_617a_6174_706c;

/// What every migrated database has beside the services' own migrations.
const GROUND: [&str; 2] = [
    include_str!("../../database/src/migrate/plaza_schema.sql"),
    include_str!("../../database/src/migrate/role_setup.rs"),
];

/// Makes the template of these schemas if there is none, and returns its name.
pub(crate) async fn ensure(server: &SecretString, schemas: &[Schema]) -> Result<String> {
    let name = format!("plaza_template_{}", digest(schemas));
    let client = connect(server).await?;
    if exists(&client, &name).await? {
        return Ok(name);
    }
    client
        .execute("SELECT pg_catalog.pg_advisory_lock($1)", &[&MAKING])
        .await?;
    if !exists(&client, &name).await? {
        make(server, &client, &name, schemas).await?;
    }
    // The lock ends with the client.
    Ok(name)
}

/// Under another name first: a template is there whole or not at all.
async fn make(server: &SecretString, client: &Client, name: &str, schemas: &[Schema]) -> Result<()> {
    ensure_migrator(server, client).await?;
    let unfinished = format!("{name}_unfinished");
    client
        .batch_execute(&format!("DROP DATABASE IF EXISTS \"{unfinished}\" WITH (FORCE)"))
        .await?;
    client
        .batch_execute(&format!("CREATE DATABASE \"{unfinished}\" OWNER {MIGRATOR}"))
        .await?;
    migrate(server, &unfinished, schemas)
        .await
        .context("the migrations failed")?;
    client
        .batch_execute(&format!("ALTER DATABASE \"{unfinished}\" RENAME TO \"{name}\""))
        .await?;
    Ok(())
}

async fn migrate(server: &SecretString, database: &str, schemas: &[Schema]) -> Result<()> {
    let settings = settings(server, database);
    plaza_database::migrate::migrate(&settings.url, &settings.role_key, schemas).await?;
    Ok(())
}

async fn ensure_migrator(server: &SecretString, client: &Client) -> Result<()> {
    let known = client
        .query_opt("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1", &[&MIGRATOR])
        .await?;
    let verb = if known.is_some() { "ALTER" } else { "CREATE" };
    let password = cluster::secret(server, MIGRATOR);
    let statement = format!(
        "{verb} ROLE {MIGRATOR} LOGIN CREATEROLE PASSWORD '{}'",
        password.expose_secret()
    );
    Ok(client.batch_execute(&statement).await?)
}

/// Clones the template.
pub(crate) async fn clone(server: &SecretString, template: &str, name: &str) -> Result<()> {
    let client = connect(server).await?;
    let statement = format!("CREATE DATABASE \"{name}\" OWNER {MIGRATOR} TEMPLATE \"{template}\"");
    for _ in 0..5 {
        match client.batch_execute(&statement).await {
            // Somebody is connected to the template: autovacuum, or a person who looks.
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {}
            other => return Ok(other?),
        }
    }
    Ok(client.batch_execute(&statement).await?)
}

async fn exists(client: &Client, name: &str) -> Result<bool> {
    let found = client
        .query_opt("SELECT FROM pg_catalog.pg_database WHERE datname = $1", &[&name])
        .await?;
    Ok(found.is_some())
}

/// Everything that the migrated database depends on.
fn digest(schemas: &[Schema]) -> String {
    let mut text = GROUND.concat();
    for schema in schemas {
        text.push_str(schema.service().as_str());
        for migration in schema.migrations() {
            // Lengths keep two different lists from being written alike.
            text.push_str(&format!(
                "\n{} {}\n{}",
                migration.name,
                migration.sql.len(),
                migration.sql
            ));
        }
    }
    hex::encode(&plaza_crypto::sha256(text.as_bytes())[..8])
}
