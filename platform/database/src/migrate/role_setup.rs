//! Makes the roles. They belong to the whole cluster, so another database's migration may be making them too.

use std::time::Duration;

use secrecy::SecretString;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::roles::{OWNER, password, password_mark, verifier};

const ATTEMPTS: u32 = 10;

/// The statement that says what exists. `wanted` are role names of ours: letters and underscores.
pub(crate) fn state_query(wanted: &[String]) -> String {
    format!(
        "SELECT rolname, coalesce(shobj_description(oid, 'pg_authid'), ''),
                (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)::text
           FROM pg_catalog.pg_roles WHERE rolname IN ('{OWNER}', '{}')",
        wanted.join("', '"),
    )
}

/// The SQL that is still needed; empty if all roles are as they should be.
pub(crate) fn missing(state: &[SimpleQueryMessage], wanted: &[String], key: &SecretString) -> String {
    let existing = |role: &str| {
        state.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) if row.get(0) == Some(role) => {
                Some((row.get(1), row.get(2) == Some("true")))
            }
            _ => None,
        })
    };
    let mut sql = String::new();
    if existing(OWNER).is_none() {
        sql.push_str(&format!("CREATE ROLE {OWNER} NOLOGIN;"));
    }
    for role in wanted {
        let mark = password_mark(key, role);
        let found = existing(role);
        if found.is_none() {
            sql.push_str(&format!("CREATE ROLE {role};"));
        }
        if found.is_some_and(|(_, powerful)| powerful) {
            sql.push_str(&format!(
                "ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;"
            ));
        }
        if found.is_none_or(|(kept, _)| kept != Some(mark.as_str())) {
            let verifier = verifier(&password(key, role));
            sql.push_str(&format!(
                "ALTER ROLE {role} LOGIN NOINHERIT PASSWORD '{verifier}'; COMMENT ON ROLE {role} IS '{mark}';"
            ));
        }
    }
    sql
}

/// Makes what is missing. Other migrations of the cluster may win a race, then there is less to do.
pub(crate) async fn ensure(client: &Client, wanted: &[String], key: &SecretString) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        let state = client.simple_query(&state_query(wanted)).await?;
        match client.batch_execute(&missing(&state, wanted, key)).await {
            Err(error) if attempt < ATTEMPTS && is_lost_race(&error) => {
                tokio::time::sleep(Duration::from_millis(20) * attempt).await;
                attempt += 1;
            }
            made => break made?,
        }
    }
    become_member(client).await
}

/// The migrator has to be able to `SET ROLE plaza_owner`.
async fn become_member(client: &Client) -> Result<(), Error> {
    let version: i32 = client
        .query_one("SELECT current_setting('server_version_num')::int", &[])
        .await?
        .try_get(0)?;
    // Since PostgreSQL 16 the creator of a role administers it without being able to become it.
    let kind = if version >= 160_000 { "SET" } else { "MEMBER" };
    let is_member: bool = client
        .query_one("SELECT pg_has_role($1::text, $2::text)", &[&OWNER, &kind])
        .await?
        .try_get(0)?;
    if is_member {
        return Ok(());
    }
    match client
        .batch_execute(&format!("GRANT {OWNER} TO CURRENT_USER"))
        .await
    {
        Err(error) if is_lost_race(&error) => Ok(()),
        granted => granted,
    }
}

fn is_lost_race(error: &Error) -> bool {
    // `tuple concurrently updated` has no code of its own.
    error.code().is_some_and(|code| {
        [
            SqlState::DUPLICATE_OBJECT,
            SqlState::UNIQUE_VIOLATION,
            SqlState::INTERNAL_ERROR,
        ]
        .contains(code)
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn no_statement_tells_a_password() {
        let key = SecretString::from("the key of the roles");
        let wanted = ["plaza_a".to_owned(), "plaza_a_system".to_owned()];
        let sql = missing(&[], &wanted, &key);
        assert_eq!(sql.matches("PASSWORD").count(), 2, "{sql}");
        assert_eq!(sql.matches("PASSWORD 'SCRAM-SHA-256$4096:").count(), 2, "{sql}");
        for role in &wanted {
            assert!(!sql.contains(password(&key, role).expose_secret()), "{sql}");
        }
    }
}
