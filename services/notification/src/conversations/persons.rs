//! All SQL about whose a conversation is: a person has a number, an id of the provider's, or both, and either may change.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{ConversationId, SenderId};
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;

use super::take::To;
use super::{Person, WINDOW};
use crate::addresses;

statements! {
    // Whoever comes at the same time waits for the row, and finds it.
    static MAKE: (TenantId, ConversationId, SenderId, String, Option<String>, Option<String>, Option<String>,
                  DateTime<Utc>, DateTime<Utc>, DateTime<Utc>) => () =
        "INSERT INTO notification.conversations
                (tenant_id, id, sender_id, channel, address, provider_user, name, last_inbound_at, window_until, created_at,
                 updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         ON CONFLICT DO NOTHING";
    // By the provider's id of the person first: numbers change hands.
    static FIND: (TenantId, SenderId, Option<String>, Option<String>) => (ConversationId,) =
        "SELECT id FROM notification.conversations
          WHERE tenant_id = $1 AND sender_id = $2
            AND (provider_user = $3 OR (address_key = $4 AND (provider_user IS NULL OR $3::text IS NULL)))
          ORDER BY provider_user IS NOT DISTINCT FROM $3 DESC, id
          LIMIT 1 FOR UPDATE";
    // What was not known yet. A number that is another conversation's stays there.
    static LEARN: (TenantId, ConversationId, SenderId, Option<String>, Option<String>, Option<String>, Option<String>) => () =
        "UPDATE notification.conversations c
            SET provider_user = coalesce(c.provider_user, $5),
                name = coalesce($6, c.name),
                address = CASE WHEN c.address IS NULL
                                    AND NOT EXISTS (SELECT FROM notification.conversations o
                                                     WHERE o.tenant_id = $1 AND o.sender_id = $3 AND o.address_key = $7)
                               THEN $4 ELSE c.address END
          WHERE c.tenant_id = $1 AND c.id = $2";
    static RENAME: (TenantId, SenderId, String, String) => () =
        "UPDATE notification.conversations c SET provider_user = $4, updated_at = now()
          WHERE c.tenant_id = $1 AND c.sender_id = $2 AND c.provider_user = $3
            AND NOT EXISTS (SELECT FROM notification.conversations o
                             WHERE o.tenant_id = $1 AND o.sender_id = $2 AND o.provider_user = $4)";
    // One of them, by the provider's id of the person first: there may be a conversation with the number and another one with
    // the id. Who has the new number already keeps it.
    static MOVE: (TenantId, SenderId, Option<String>, Option<String>, String, String) => () =
        "UPDATE notification.conversations c SET address = $5, updated_at = now()
          WHERE c.tenant_id = $1
            AND c.id = (SELECT p.id FROM notification.conversations p
                         WHERE p.tenant_id = $1 AND p.sender_id = $2 AND (p.address_key = $3 OR p.provider_user = $4)
                         ORDER BY p.provider_user IS NOT DISTINCT FROM $4 DESC, p.id LIMIT 1)
            AND NOT EXISTS (SELECT FROM notification.conversations o
                             WHERE o.tenant_id = $1 AND o.sender_id = $2 AND o.address_key = $6)";
    static ADDRESS: (TenantId, ConversationId) => (Option<String>,) =
        "SELECT address FROM notification.conversations WHERE tenant_id = $1 AND id = $2";
}

/// The conversation of a person and a sender, held until the transaction ends. Made if there is none; what was not known of
/// the person is noted.
pub(crate) async fn enter(
    tx: &TenantTx,
    new: ConversationId,
    to: To<'_>,
    from: &Person,
    (at, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<ConversationId, DatabaseError> {
    let key = from.address.as_deref().map(addresses::key);
    let find = (tx.tenant(), to.sender, from.user.clone(), key.clone());
    if let Some((found,)) = tx.optional(&FIND, find.clone()).await? {
        let (address, user, name) = (from.address.clone(), from.user.clone(), from.name.clone());
        let params = (tx.tenant(), found, to.sender, address, user, name, key);
        tx.execute(&LEARN, params).await?;
        return Ok(found);
    }
    let params = (
        tx.tenant(),
        new,
        to.sender,
        to.channel.to_owned(),
        from.address.clone(),
        from.user.clone(),
        from.name.clone(),
        at,
        at + WINDOW,
        now,
    );
    if tx.execute(&MAKE, params).await? == 1 {
        return Ok(new);
    }
    // Somebody else made it meanwhile; or the number is that of a conversation with another person, who had it before.
    if let Some((found,)) = tx.optional(&FIND, find).await? {
        return Ok(found);
    }
    let without = Person {
        address: None,
        ..from.clone()
    };
    Box::pin(enter(tx, new, to, &without, (at, now))).await
}

/// The provider calls a person otherwise.
pub(crate) async fn rename(
    tx: &TenantTx,
    sender: SenderId,
    (previous, current): (String, String),
) -> Result<(), DatabaseError> {
    tx.execute(&RENAME, (tx.tenant(), sender, previous, current))
        .await
        .map(drop)
}

/// A person has another number.
pub(crate) async fn move_to(
    tx: &TenantTx,
    sender: SenderId,
    from: &Person,
    to: &str,
) -> Result<(), DatabaseError> {
    let key = from.address.as_deref().map(addresses::key);
    let params = (
        tx.tenant(),
        sender,
        key,
        from.user.clone(),
        to.to_owned(),
        addresses::key(to),
    );
    tx.execute(&MOVE, params).await.map(drop)
}

/// The number of the person, as far as it is known.
pub(crate) async fn address(
    tx: &TenantTx,
    conversation: ConversationId,
) -> Result<Option<String>, DatabaseError> {
    Ok(tx.one(&ADDRESS, (tx.tenant(), conversation)).await?.0)
}
