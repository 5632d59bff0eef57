//! All SQL about what is known of addresses.

use plaza_contracts::ids::MessageId;
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::UNREACHABLE_AFTER;
use crate::addresses;
use crate::terms::Cap;

statements! {
    // In the order of keys: two who note something of the same addresses never wait for each other in a circle. By message:
    // told twice of one of them, it is once.
    static UNREACHABLE: (TenantId, String, Vec<String>, Vec<Uuid>) => () =
        "INSERT INTO notification.contacts AS c
                (tenant_id, channel, address_key, unreachable, unreachable_by, unreachable_at)
         SELECT $1, $2, x.key, cardinality(x.ids), x.ids, now()
           FROM (SELECT notification.address_key(t.address) AS key, array_agg(DISTINCT t.id) AS ids
                   FROM unnest($3::text[], $4::uuid[]) AS t (address, id) GROUP BY 1 ORDER BY 1) x
         ON CONFLICT (tenant_id, channel, address_key) DO UPDATE
            SET unreachable = (SELECT count(DISTINCT id) FROM unnest(c.unreachable_by || excluded.unreachable_by) AS id),
                unreachable_by = ARRAY(SELECT DISTINCT id
                                         FROM unnest(c.unreachable_by || excluded.unreachable_by) AS id),
                unreachable_at = excluded.unreachable_at
          WHERE NOT c.unreachable_by @> excluded.unreachable_by";
    static REACHABLE: (TenantId, String, Vec<String>) => () =
        "WITH held AS (
             SELECT address_key FROM notification.contacts
              WHERE tenant_id = $1 AND channel = $2 AND address_key = ANY ($3) AND unreachable > 0
              ORDER BY address_key FOR UPDATE
         )
         UPDATE notification.contacts c SET unreachable = 0, unreachable_by = '{}', unreachable_at = NULL
           FROM held WHERE c.tenant_id = $1 AND c.channel = $2 AND c.address_key = held.address_key";
    static HOLD: (TenantId, String, Vec<String>) => (String,) =
        "SELECT address_key FROM notification.contacts
          WHERE tenant_id = $1 AND channel = $2 AND address_key = ANY ($3)
          ORDER BY address_key FOR UPDATE";
    // Each address with whether it is tried no more, and whether it has had as much advertising as it may get.
    static KNOWN: (TenantId, String, Vec<String>, i32, Option<i32>, Option<i32>) => (String, bool, bool) =
        "SELECT a.address,
                coalesce(c.unreachable >= $4 AND c.unreachable_at > now() - interval '90 days', false),
                coalesce((SELECT count(*) FROM unnest(c.sent_at) AS at WHERE at > now() - interval '1 day') >= $5::int,
                         false)
                OR coalesce((SELECT count(*) FROM unnest(c.sent_at) AS at WHERE at > now() - interval '7 days')
                            >= $6::int, false)
           FROM (SELECT address, notification.address_key(address) AS key
                   FROM unnest($3::text[]) AS address OFFSET 0) a
           JOIN notification.contacts c
             ON c.tenant_id = $1 AND c.channel = $2 AND c.address_key = a.key";
}

/// Notes which messages met nobody at their addresses, as the provider says.
pub(crate) async fn unreachable(
    tx: &TenantTx,
    channel: &str,
    met: Vec<(String, MessageId)>,
) -> Result<(), DatabaseError> {
    if met.is_empty() {
        return Ok(());
    }
    let (addresses, ids) = met
        .into_iter()
        .map(|(address, id)| (address, id.as_uuid()))
        .unzip();
    tx.execute(&UNREACHABLE, (tx.tenant(), channel.to_owned(), addresses, ids))
        .await
        .map(drop)
}

/// Notes that somebody is there after all.
pub(crate) async fn reachable(
    tx: &TenantTx,
    channel: &str,
    addresses: Vec<String>,
) -> Result<(), DatabaseError> {
    if addresses.is_empty() {
        return Ok(());
    }
    let keys = keys(&addresses);
    tx.execute(&REACHABLE, (tx.tenant(), channel.to_owned(), keys))
        .await
        .map(drop)
}

/// Holds what is known of these addresses until the transaction ends, for whoever notes different things of them.
pub(crate) async fn hold(tx: &TenantTx, channel: &str, addresses: &[String]) -> Result<(), DatabaseError> {
    let params = (tx.tenant(), channel.to_owned(), keys(addresses));
    tx.all(&HOLD, params).await.map(drop)
}

fn keys(addresses: &[String]) -> Vec<String> {
    addresses.iter().map(|address| addresses::key(address)).collect()
}

/// Of these addresses those of which something is known that keeps a message from them: whether there is nobody, and
/// whether the cap is reached.
pub(crate) async fn known(
    tx: &TenantTx,
    channel: &str,
    addresses: Vec<String>,
    cap: Cap,
) -> Result<Vec<(String, bool, bool)>, DatabaseError> {
    let params = (
        tx.tenant(),
        channel.to_owned(),
        addresses,
        UNREACHABLE_AFTER,
        cap.per_day,
        cap.per_week,
    );
    tx.all(&KNOWN, params).await
}
