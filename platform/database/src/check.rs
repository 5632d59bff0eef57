//! One test per service prepares all its statements, as the logins that run them.

use std::error::Error;

use bytes::BytesMut;
use postgres_types::{IsNull, ToSql, Type};

use crate::pool::Lease;
use crate::{Database, DatabaseError, RegisteredStatement, StatementRole, registered_by};

/// What is wrong with the statements that a crate declares, one line each: those that the server refuses to prepare or
/// to plan (`EXPLAIN` asks for the privileges too), and types that do not fit.
///
/// `crate_name` is the crate's name as Rust sees it (`plaza_broadcast`). A crate without statements is a problem too.
pub async fn statement_problems(database: &Database, crate_name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut found = 0;
    for statement in registered_by(crate_name) {
        found += 1;
        let name = format!("{}::{}", statement.module, statement.name);
        match examine(database, statement).await {
            Ok(mismatches) => {
                problems.extend(mismatches.iter().map(|mismatch| format!("{name}: {mismatch}")))
            }
            Err(error) => problems.push(format!("{name}: {}", told(&error))),
        }
    }
    if found == 0 {
        problems.push(format!(
            "no statement of a crate `{crate_name}` is linked into this program"
        ));
    }
    problems
}

async fn examine(database: &Database, statement: &RegisteredStatement) -> Result<Vec<String>, DatabaseError> {
    let lease = match statement.role {
        StatementRole::Service => database.lease().await?,
        StatementRole::System => database.lease_system().await?,
    };
    let prepared = lease.client().prepare(statement.sql).await?;
    let mismatches = (statement.mismatches)(&prepared);
    if can_be_explained(statement.sql) {
        explain(&lease, statement.sql, prepared.params()).await?;
    }
    lease.give_back();
    Ok(mismatches)
}

/// Preparing does not look at privileges; planning for execution does.
async fn explain(lease: &Lease, sql: &str, types: &[Type]) -> Result<(), DatabaseError> {
    let explain = lease
        .client()
        .prepare_typed(&format!("EXPLAIN {sql}"), types)
        .await?;
    let nothing = vec![&Nothing as &(dyn ToSql + Sync); types.len()];
    lease.client().query(&explain, &nothing).await?;
    Ok(())
}

fn can_be_explained(sql: &str) -> bool {
    let word = sql
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "VALUES"].contains(&word.as_str())
}

fn told(error: &DatabaseError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// NULL of every type.
#[derive(Debug)]
struct Nothing;

impl ToSql for Nothing {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres_types::to_sql_checked!();
}
