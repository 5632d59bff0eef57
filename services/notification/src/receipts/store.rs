//! All SQL that applies receipts.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::Receipt;

/// Parallel arrays, one element a receipt.
type Arrays = (
    Vec<Uuid>,
    Vec<String>,
    Vec<String>,
    Vec<DateTime<Utc>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
);

row! {
    /// A fact as it was kept.
    #[derive(Debug, Clone)]
    pub(crate) struct Kept {
        pub(crate) provider_id: String,
        pub(crate) status: String,
        pub(crate) at: DateTime<Utc>,
        pub(crate) error_code: Option<String>,
        pub(crate) received_at: DateTime<Utc>,
    }
}

statements! {
    // Few: four states for each time the message was sent.
    static OF_MESSAGE: (TenantId, MessageId) => Kept =
        "SELECT provider_id, status, at, error_code, received_at FROM notification.receipts
          WHERE tenant_id = $1 AND message_id = $2
          ORDER BY received_at, notification.rank(status), provider_id
          LIMIT 200";
    // Facts about messages that are not ours, or not of this tenant, are dropped by the join.
    static KEEP: (TenantId, Vec<Uuid>, Vec<String>, Vec<String>, Vec<DateTime<Utc>>, Vec<Option<String>>, DateTime<Utc>) => () =
        "INSERT INTO notification.receipts
                (tenant_id, message_id, provider_id, status, at, error_code, received_at)
         SELECT $1, r.id, r.provider_id, r.status, r.at, r.error_code, $7
           FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
                AS r (id, provider_id, status, at, error_code)
           JOIN notification.messages m ON m.tenant_id = $1 AND m.id = r.id
         ON CONFLICT DO NOTHING";
    // Rows are locked in the order of their ids, so that two callbacks about the same messages never deadlock; the
    // highest rank of a callback is applied, and only upwards.
    static APPLY: (TenantId, Vec<Uuid>, Vec<String>, Vec<String>, Vec<Option<String>>, Vec<Option<String>>, DateTime<Utc>) => (String, String) =
        "WITH told AS (
             SELECT DISTINCT ON (id) id, provider_id, status, error_code, error_text
               FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
                    AS r (id, provider_id, status, error_code, error_text)
              ORDER BY id, notification.rank(status) DESC
         ), held AS (
             SELECT m.id, m.state AS before FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.id = ANY ($2)
              ORDER BY m.id FOR UPDATE
         )
         UPDATE notification.messages m
            SET state = told.status, provider_id = told.provider_id, error_code = told.error_code,
                error_text = told.error_text, lease_until = NULL, unknown_because = NULL, updated_at = $7
           FROM told JOIN held ON held.id = told.id
          WHERE m.tenant_id = $1 AND m.id = told.id
            AND notification.rank(held.before) < notification.rank(told.status)
         RETURNING m.source, held.before";
}

/// What was told of a message, in the order in which it came.
pub(crate) async fn of_message(
    database: &Database,
    tenant: TenantId,
    message: MessageId,
) -> Result<Vec<Kept>, DatabaseError> {
    database.read(tenant, &OF_MESSAGE, (tenant, message)).await
}

/// Keeps the facts and moves the messages up the ladder. Gives source and state before of each message that moved.
pub(crate) async fn apply(
    tx: &TenantTx,
    receipts: &[Receipt],
    now: DateTime<Utc>,
) -> Result<Vec<(String, String)>, DatabaseError> {
    let (ids, provider_ids, states, times, codes, texts) = arrays(receipts);
    let keep = (
        tx.tenant(),
        ids.clone(),
        provider_ids.clone(),
        states.clone(),
        times,
        codes.clone(),
        now,
    );
    let apply = (tx.tenant(), ids, provider_ids, states, codes, texts, now);
    let (moved, kept) = tokio::join!(tx.all(&APPLY, apply), tx.execute(&KEEP, keep));
    kept?;
    moved
}

fn arrays(receipts: &[Receipt]) -> Arrays {
    let mut arrays = Arrays::default();
    for receipt in receipts {
        arrays.0.push(receipt.message.as_uuid());
        arrays.1.push(receipt.provider_id.clone());
        arrays.2.push(receipt.state.as_str().to_owned());
        arrays.3.push(receipt.at);
        let (code, text) = receipt.error.clone().unzip();
        arrays.4.push(code);
        arrays.5.push(text);
    }
    arrays
}
