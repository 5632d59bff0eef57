//! What messaging has not finished, in every schema that has its tables.

use plaza_database::DatabaseError;
use tokio_postgres::Client;

/// One line per row that nobody handled.
pub(crate) async fn unhandled(client: &Client) -> Result<Vec<String>, DatabaseError> {
    let schemas = client
        .query(
            "SELECT schemaname::text FROM pg_catalog.pg_tables WHERE tablename = 'outbox' ORDER BY 1",
            &[],
        )
        .await?;
    let mut lines = Vec::new();
    for row in &schemas {
        let schema: String = row.try_get(0)?;
        // One statement per schema, so that an event on its way between two tables is seen in one of them.
        let sql = format!(
            "SELECT '{schema}.outbox: ' || name || ' of key ' || key || coalesce(', ' || last_error, '')
               FROM {schema}.outbox
              UNION ALL
             SELECT '{schema}.deliveries: ' || name || ' for ' || consumer || ', attempts ' || attempts
                    || coalesce(', ' || last_error, '')
               FROM {schema}.deliveries
              UNION ALL
             SELECT '{schema}.waiting: an event of key ' || key || ' for ' || consumer || ', attempts ' || attempts
               FROM {schema}.waiting
              UNION ALL
             SELECT '{schema}.dead_letters: ' || name || ' for ' || consumer || ', ' || error
               FROM {schema}.dead_letters WHERE state = 'dead'"
        );
        for line in client.query(&sql, &[]).await? {
            lines.push(line.try_get(0)?);
        }
    }
    Ok(lines)
}
