//! Migrations: brings a database to what this program needs, and says so if it cannot.
//!
//! Every start runs this, so nothing to do costs a login and one round trip: what a schema was brought to is kept as a
//! fingerprint, and only a different one leads to refinery and its history table (`<schema>.schema_history`).
//!
//! A migration runs as `plaza_owner`, to whom row-level security applies as well: a change of existing rows in a tenant
//! table needs `ALTER TABLE … NO FORCE ROW LEVEL SECURITY` before it and `FORCE` after it, or it touches no row. It is one
//! transaction, unless it is marked as one statement outside of a transaction (`migrate/outside.rs`).

mod error;
mod outside;
mod role_setup;
mod session;
mod target;

use plaza_kernel::ServiceName;
use secrecy::SecretString;

pub use self::error::MigrateError;
use self::session::Session;
use self::target::{Reached, Target, is_not_ours_yet};
use crate::{Schema, roles};

/// The functions that migrations call to give a table its policies and grants.
const PLAZA_SCHEMA: &str = include_str!("migrate/plaza_schema.sql");

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The migrations that were applied, in order: `broadcast V20261120093000__campaigns`.
    pub applied: Vec<String>,
}

/// Makes the roles, the schemas and the functions for policies, and applies every migration that is missing.
///
/// `url` is the migrator's login; it needs CREATEROLE, and CREATE on the database. Role passwords are derived from
/// `role_key`, which all databases of one cluster share.
pub async fn migrate(
    url: &SecretString,
    role_key: &SecretString,
    schemas: &[Schema],
) -> Result<Report, MigrateError> {
    let targets: Vec<Target> = schemas.iter().map(Target::of).collect::<Result<_, _>>()?;
    let wanted: Vec<String> = schemas.iter().map(Schema::service).flat_map(role_names).collect();
    let mut session = Session::open(url).await?;
    let mut report = Report::default();
    if !is_done(&session, &targets, &wanted, role_key).await? {
        role_setup::ensure(&session.client, &wanted, role_key)
            .await
            .map_err(MigrateError::refused("making the roles"))?;
        session.lock().await?;
        session.make_plaza_schema().await?;
        let reached = Reached::read(&session.client)
            .await
            .map_err(MigrateError::refused(READING))?;
        for target in targets.iter().filter(|target| !target.is_reached(&reached)) {
            report.applied.extend(session.reach(target).await?);
        }
    }
    session.close().await;
    Ok(report)
}

/// Stands for all that a database is brought to for a schema: differs whenever [`migrate`] would have something to do.
pub fn fingerprint(schema: &Schema) -> Result<String, MigrateError> {
    Target::of(schema).map(|target| target.fingerprint)
}

/// The migrations that this program has and the database has not, named as in [`Report::applied`].
pub async fn pending(url: &SecretString, schemas: &[Schema]) -> Result<Vec<String>, MigrateError> {
    let session = Session::open(url).await?;
    let mut pending = Vec::new();
    for schema in schemas {
        let target = Target::of(schema)?;
        let sql = format!("SELECT version FROM {}.schema_history", target.service);
        let applied = match session.client.query(&sql, &[]).await {
            Ok(rows) => rows
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<Vec<i64>, _>>(),
            Err(error) if is_not_ours_yet(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let applied = applied.map_err(MigrateError::refused(READING))?;
        let missing = target
            .migrations
            .iter()
            .filter(|migration| !applied.contains(&migration.version()));
        pending.extend(missing.map(|migration| format!("{} {migration}", target.service)));
    }
    session.close().await;
    Ok(pending)
}

const READING: &str = "reading what is there";

async fn is_done(
    session: &Session,
    targets: &[Target],
    wanted: &[String],
    role_key: &SecretString,
) -> Result<bool, MigrateError> {
    let state = role_setup::state_query(wanted);
    let (roles, reached) =
        tokio::join!(biased; session.client.simple_query(&state), Reached::read(&session.client));
    let roles = roles.map_err(MigrateError::refused(READING))?;
    let reached = reached.map_err(MigrateError::refused(READING))?;
    Ok(role_setup::missing(&roles, wanted, role_key).is_empty()
        && targets.iter().all(|target| target.is_reached(&reached)))
}

fn role_names(service: ServiceName) -> [String; 2] {
    [roles::service_role(service), roles::system_role(service)]
}
