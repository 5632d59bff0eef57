//! The catalogue lint: what the database itself says about tables, keys, policies and grants that could let one tenant
//! see or touch another's rows.

use std::fmt;

use secrecy::SecretString;

use crate::connector::{self, Connector};
use crate::{DatabaseError, DatabaseLimits, Schema, tasks};

const LINT: &str = include_str!("lint.sql");

/// Tables whose `tenant_id` may be NULL, because the platform has such facts too. Their keys are their own.
pub const SCOPED_TABLES: [&str; 8] = [
    "outbox",
    "inbox",
    "deliveries",
    "dead_letters",
    "audit",
    "audit_chain",
    "mails",
    "data_keys",
];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule, SCREAMING_SNAKE.
    pub rule: String,
    /// The table, key, view or role.
    pub object: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.object, self.problem)
    }
}

/// Everything that is wrong with these schemas; nothing if they are as they should be. Any login may ask.
///
/// A unique key of a tenant table that has to be unique across tenants says so and why in its index's comment:
/// `COMMENT ON INDEX … IS 'across tenants: …'`.
pub async fn findings(url: &SecretString, schemas: &[Schema]) -> Result<Vec<Finding>, DatabaseError> {
    let mut config = connector::parse(url)?;
    config.application_name("plaza lint");
    let (client, driver) = Connector::new(config, DatabaseLimits::default().connect)?
        .connect()
        .await?;
    // It ends with the connection; how it ended shows in the query's answer.
    let driver = tasks::spawn(async move { drop(driver.await) });
    let names: Vec<&str> = schemas.iter().map(|schema| schema.service().as_str()).collect();
    let rows = client.query(LINT, &[&names, &SCOPED_TABLES.as_slice()]).await?;
    drop(client);
    let _ = driver.await;
    rows.iter()
        .map(|row| {
            Ok(Finding {
                rule: row.try_get(0)?,
                object: row.try_get(1)?,
                problem: row.try_get(2)?,
            })
        })
        .collect()
}
