//! One test per service prepares all its statements, as the logins that run them, after its temporary tables.

use std::error::Error;

use bytes::BytesMut;
use postgres_types::{IsNull, ToSql, Type};

use crate::pool::Lease;
use crate::temp_table::temp_tables_of;
use crate::{
    Database, DatabaseError, RegisteredStatement, RegisteredTempTable, StatementRole, registered_by,
};

/// What is wrong with the statements that a crate declares, one line each: those that the server refuses to prepare or
/// to plan (`EXPLAIN` asks for the privileges too), and types that do not fit.
///
/// `crate_name` is the crate's name as Rust sees it (`plaza_broadcast`). A crate without statements is a problem too.
pub async fn statement_problems(database: &Database, crate_name: &str) -> Vec<String> {
    let (mut problems, mut tables) = (Vec::new(), Vec::new());
    for table in temp_tables_of(crate_name) {
        let name = format!("{}::{}", table.module, table.name);
        match examine_table(database, table).await {
            Ok(mismatches) => {
                tables.push(table);
                problems.extend(mismatches.iter().map(|mismatch| format!("{name}: {mismatch}")));
            }
            Err(error) => problems.push(format!("{name}: {}", told(&error))),
        }
    }
    let mut found = 0;
    for statement in registered_by(crate_name) {
        found += 1;
        let name = format!("{}::{}", statement.module, statement.name);
        match examine(database, &tables, statement).await {
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

/// Makes the table and compares its columns.
async fn examine_table(
    database: &Database,
    table: &RegisteredTempTable,
) -> Result<Vec<String>, DatabaseError> {
    let lease = database.lease().await?;
    make(&lease, table).await?;
    let columns = lease.client().prepare(table.texts.columns).await?;
    let types: Vec<Type> = columns
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    lease.client().prepare(table.texts.copy).await?;
    lease.give_back();
    Ok((table.mismatches)(&types))
}

async fn make(lease: &Lease, table: &RegisteredTempTable) -> Result<(), DatabaseError> {
    let text = format!("BEGIN READ WRITE; {}; COMMIT", table.texts.create);
    if !lease.temp_tables().has(table.texts.create) {
        lease.client().batch_execute(&text).await?;
        lease.temp_tables().made(table.texts.create);
    }
    Ok(())
}

async fn examine(
    database: &Database,
    tables: &[&'static RegisteredTempTable],
    statement: &RegisteredStatement,
) -> Result<Vec<String>, DatabaseError> {
    let lease = match statement.role {
        StatementRole::Service => database.lease().await?,
        StatementRole::System => database.lease_system().await?,
    };
    // What is copied into a temporary table is written from there by a statement that names it.
    for table in tables {
        make(&lease, table).await?;
    }
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
