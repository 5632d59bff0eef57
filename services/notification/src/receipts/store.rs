//! All SQL that applies receipts.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{MessageId, SenderId};
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

row! {
    /// A message that a receipt moved.
    #[derive(Debug, Clone)]
    pub(crate) struct Moved {
        pub(crate) id: MessageId,
        pub(crate) source: String,
        /// The state before.
        pub(crate) before: String,
        pub(crate) sender_id: SenderId,
        pub(crate) channel: String,
        pub(crate) address: String,
        pub(crate) state: String,
        pub(crate) error_code: Option<String>,
        pub(crate) error_text: Option<String>,
    }
}

statements! {
    // Few: four states for each time the message was sent.
    static OF_MESSAGE: (TenantId, MessageId) => Kept =
        "SELECT provider_id, status, at, error_code, received_at FROM notification.receipts
          WHERE tenant_id = $1 AND message_id = $2
          ORDER BY received_at, notification.rank(status), provider_id
          LIMIT 200";
    // Facts about messages that are not ours, or not of this tenant, are dropped by the join. Rows are locked in the order of
    // their ids, so that two callbacks about the same messages never deadlock; the highest rank of a callback is applied, and
    // only upwards.
    //
    // A message may have gone out several times, and each try has an id at the provider. What arrived has arrived, whichever
    // try it was. Anything less counts if it is news, and of the try that stands: of one that has its id, or of one that has
    // none yet, for which another try's id stands until then. What was ended while a try of it was in doubt counts as doubt.
    static APPLY: (TenantId, Vec<Uuid>, Vec<String>, Vec<String>, Vec<DateTime<Utc>>, Vec<Option<String>>,
                   Vec<Option<String>>, DateTime<Utc>) => Moved =
        "WITH r AS MATERIALIZED (
             SELECT id, provider_id, status, at, error_code, error_text
               FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
                    AS r (id, provider_id, status, at, error_code, error_text)
         ), held AS MATERIALIZED (
             SELECT m.id, m.state AS before, m.provider_id,
                    CASE WHEN m.state IN ('skipped', 'expired', 'cancelled')
                              AND (m.attempts > 0 OR m.provider_id IS NOT NULL) THEN 'unknown' ELSE m.state END AS stands
               FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.id = ANY ($2)
              ORDER BY m.id FOR UPDATE
         ), kept AS (
             INSERT INTO notification.receipts
                    (tenant_id, message_id, provider_id, status, at, error_code, received_at)
             SELECT $1, r.id, r.provider_id, r.status, r.at, r.error_code, $8
               FROM r JOIN held ON held.id = r.id
             ON CONFLICT DO NOTHING
             RETURNING message_id, provider_id, status
         ), told AS (
             SELECT DISTINCT ON (r.id) r.id, r.provider_id, r.status, r.error_code, r.error_text, held.before
               FROM r
               JOIN held ON held.id = r.id
               LEFT JOIN kept ON kept.message_id = r.id AND kept.provider_id = r.provider_id AND kept.status = r.status
              WHERE notification.rank(held.stands) < notification.rank(r.status)
                AND (held.stands = held.before OR r.status <> 'failed')
                AND (r.status IN ('delivered', 'read')
                     OR (kept.message_id IS NOT NULL
                         AND CASE WHEN held.stands NOT IN ('queued', 'leased', 'unknown')
                                  THEN coalesce(held.provider_id = r.provider_id, true)
                                  ELSE held.provider_id IS DISTINCT FROM r.provider_id
                                       AND NOT EXISTS (SELECT FROM notification.receipts e
                                                        WHERE e.tenant_id = $1 AND e.message_id = r.id
                                                          AND e.provider_id = r.provider_id AND e.status = 'failed')
                             END))
              ORDER BY r.id, notification.rank(r.status) DESC
         )
         UPDATE notification.messages m
            SET state = told.status, provider_id = told.provider_id, error_code = told.error_code,
                error_text = told.error_text, lease_until = NULL, unknown_because = NULL, updated_at = $8
           FROM told
          WHERE m.tenant_id = $1 AND m.id = told.id
         RETURNING m.id, m.source, told.before, m.sender_id, m.channel, m.address, m.state, m.error_code, m.error_text";
}

/// What was told of a message, in the order in which it came.
pub(crate) async fn of_message(
    database: &Database,
    tenant: TenantId,
    message: MessageId,
) -> Result<Vec<Kept>, DatabaseError> {
    database.read(tenant, &OF_MESSAGE, (tenant, message)).await
}

/// Keeps the facts and moves the messages up the ladder. Gives each message that moved.
pub(crate) async fn apply(
    tx: &TenantTx,
    receipts: &[Receipt],
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, DatabaseError> {
    let (ids, provider_ids, states, times, codes, texts) = arrays(receipts);
    let apply = (tx.tenant(), ids, provider_ids, states, times, codes, texts, now);
    tx.all(&APPLY, apply).await
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
