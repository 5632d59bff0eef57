//! What a schema is to be brought to, and how a database tells that it is there.

use std::collections::HashMap;

use plaza_kernel::ServiceName;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::{MigrateError, PLAZA_SCHEMA};
use crate::Schema;

/// One schema with its migrations, and a fingerprint of all that makes it.
pub(super) struct Target {
    pub(super) service: ServiceName,
    pub(super) migrations: Vec<refinery::Migration>,
    pub(super) fingerprint: String,
}

impl Target {
    pub(super) fn of(schema: &Schema) -> Result<Self, MigrateError> {
        let service = schema.service();
        let mut text = PLAZA_SCHEMA.to_owned();
        let mut target = Self {
            service,
            migrations: Vec::new(),
            fingerprint: String::new(),
        };
        for migration in schema.migrations() {
            text.extend(["\0", migration.name, "\0", migration.sql]);
            let migration = refinery::Migration::unapplied(migration.name, migration.sql)
                .map_err(|error| MigrateError::sort(service, error, |_| false))?;
            if target.knows(migration.version()) {
                return Err(MigrateError::Repeated {
                    schema: service,
                    migration: migration.to_string(),
                });
            }
            target.migrations.push(migration);
        }
        target.fingerprint = hex::encode(plaza_crypto::sha256(text.as_bytes()));
        Ok(target)
    }

    pub(super) fn is_reached(&self, reached: &Reached) -> bool {
        reached.0.get(self.service.as_str()) == Some(&self.fingerprint)
    }

    pub(super) fn knows(&self, version: i64) -> bool {
        self.migrations
            .iter()
            .any(|migration| migration.version() == version)
    }
}

/// What the schemas of a database were brought to.
#[derive(Default)]
pub(super) struct Reached(HashMap<String, String>);

impl Reached {
    /// Of schemas that somebody removed nothing is said, nor of a database that is not ours yet.
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        let sql = "SELECT schema_name, fingerprint FROM plaza.state
                    WHERE to_regclass(schema_name || '.schema_history') IS NOT NULL";
        match client.simple_query(sql).await {
            Ok(messages) => Ok(Self(messages.iter().filter_map(pair).collect())),
            Err(error) if is_not_ours_yet(&error) => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }
}

fn pair(message: &SimpleQueryMessage) -> Option<(String, String)> {
    match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?.to_owned(), row.get(1)?.to_owned())),
        _ => None,
    }
}

pub(super) fn is_not_ours_yet(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::UNDEFINED_TABLE,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ]
        .contains(code)
    })
}
