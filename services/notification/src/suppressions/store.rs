//! All SQL about suppressions, but for what people say (`words.rs`), and for the check in the statement that leases a message
//! (`dispatch/claims.rs`).
//!
//! What people of the tenant suppress by hand and what people say are apart, and an address is suppressed as long as any of it
//! stands: who takes one thing back has taken back nothing else.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::{Page, PageQuery, TenantId};
use uuid::Uuid;

use super::{Said, Scope, Suppression, SuppressionId, words};
use crate::addresses;

row! {
    /// A suppression's row.
    struct Stored {
        id: SuppressionId,
        channel: String,
        address: String,
        scope: String,
        source: String,
        reason: Option<String>,
        created_at: DateTime<Utc>,
    }
}

statements! {
    static ADD: (TenantId, SuppressionId, String, String, String, String, DateTime<Utc>) => () =
        "INSERT INTO notification.suppressions AS s (tenant_id, id, channel, address, scope, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, channel, address) DO UPDATE
            SET scope = excluded.scope, reason = excluded.reason
          WHERE s.scope = 'marketing' AND excluded.scope = 'all'";
    static OF_ADDRESS: (TenantId, String, String) => Stored =
        "SELECT id, channel, address, scope, 'api' AS source, reason, created_at FROM notification.suppressions
          WHERE tenant_id = $1 AND channel = $2 AND address = $3";
    static REMOVE: (TenantId, SuppressionId) => () =
        "DELETE FROM notification.suppressions WHERE tenant_id = $1 AND id = $2";
    // A stop holds on every channel on which the person has this number.
    static STANDS: (TenantId, String, String, Vec<String>, Option<String>) => (bool,) =
        "SELECT EXISTS (SELECT FROM notification.suppressions
                         WHERE tenant_id = $1 AND channel = $2 AND address = ANY ($4)
                           AND (scope = 'all' OR $5 = 'marketing'))
             OR EXISTS (SELECT FROM notification.opt_outs
                         WHERE tenant_id = $1 AND address_key = $3 AND stands AND (channel = $2 OR source = 'stop')
                           AND (scope = 'all' OR $5 = 'marketing'))";
    // The widest one of those by hand.
    static BY_HAND: (TenantId, String, Vec<String>) => (String, String, DateTime<Utc>) =
        "SELECT scope, reason, created_at FROM notification.suppressions
          WHERE tenant_id = $1 AND channel = $2 AND address = ANY ($3)
          ORDER BY scope, created_at LIMIT 1";
    static LIST: (TenantId, Option<Uuid>, i64, i64) => Stored =
        "SELECT id, channel, address, scope, source, reason, created_at
           FROM ((SELECT id, channel, address, scope, 'api' AS source, reason, created_at
                    FROM notification.suppressions
                   WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2)
                   ORDER BY id DESC LIMIT $3::bigint + $4::bigint)
                 UNION ALL
                 (SELECT id, channel, address, scope, source, NULL, created_at
                    FROM notification.opt_outs
                   WHERE tenant_id = $1 AND stands AND ($2::uuid IS NULL OR id < $2)
                   ORDER BY id DESC LIMIT $3::bigint + $4::bigint)) AS every
          ORDER BY id DESC LIMIT $3 OFFSET $4";
    // In every spelling. The functions' values are columns before they are compared: under row-level security nothing else
    // finds its way into an index.
    static AMONG: (TenantId, String, Vec<String>, Option<String>) => (String,) =
        "SELECT a.address
           FROM (SELECT k.address, k.key, notification.spellings(k.key) AS spellings
                   FROM (SELECT address, notification.address_key(address) AS key
                           FROM unnest($3::text[]) AS address OFFSET 0) k OFFSET 0) a
          WHERE EXISTS (SELECT FROM notification.suppressions s
                         WHERE s.tenant_id = $1 AND s.channel = $2 AND s.address = ANY (a.spellings)
                           AND (s.scope = 'all' OR $4 = 'marketing'))
             OR EXISTS (SELECT FROM notification.opt_outs o
                         WHERE o.tenant_id = $1 AND o.address_key = a.key AND o.stands
                           AND (o.channel = $2 OR o.source = 'stop') AND (o.scope = 'all' OR $4 = 'marketing'))";
}

/// Suppresses an address by hand. What stands is given back: one that is suppressed at least as widely stays as it was.
pub(crate) async fn add(tx: &TenantTx, new: Suppression) -> Result<Suppression, DatabaseError> {
    let key = (tx.tenant(), new.channel.clone(), new.address.clone());
    let params = (
        tx.tenant(),
        new.id,
        new.channel,
        new.address,
        new.scope.as_str().to_owned(),
        new.reason,
        new.created_at,
    );
    tx.execute(&ADD, params).await?;
    Ok(tx.one(&OF_ADDRESS, key).await?.into())
}

/// Whether a message of this class must not go to an address.
pub(crate) async fn stands(
    tx: &TenantTx,
    channel: &str,
    address: &str,
    class: Option<&str>,
) -> Result<bool, DatabaseError> {
    let (key, spellings) = (addresses::key(address), addresses::variants(address));
    let class = class.map(str::to_owned);
    let params = (tx.tenant(), channel.to_owned(), key, spellings, class);
    Ok(tx.one(&STANDS, params).await?.0)
}

/// What is suppressed by hand of an address, in any of its spellings: how widely, why, and since when.
pub(super) async fn by_hand(
    tx: &TenantTx,
    channel: &str,
    address: &str,
) -> Result<Option<(Scope, String, DateTime<Utc>)>, DatabaseError> {
    let params = (tx.tenant(), channel.to_owned(), addresses::variants(address));
    let found = tx.optional(&BY_HAND, params).await?;
    Ok(found.map(|(scope, reason, at)| (Scope::parse(&scope).unwrap_or(Scope::All), reason, at)))
}

/// Lifts a suppression; says whether there was one. What else was said of the address stands.
pub(crate) async fn remove(
    tx: &TenantTx,
    id: SuppressionId,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&REMOVE, (tx.tenant(), id)).await? == 1 || words::lift(tx, id, now).await?)
}

/// A page of suppressions, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    page: PageQuery,
    skip: i64,
) -> Result<Page<Suppression>, DatabaseError> {
    let after = page.cursor.map(plaza_kernel::Cursor::last_seen);
    let rows = database
        .read(tenant, &LIST, (tenant, after, page.limit.and_one(), skip))
        .await?;
    let found = rows.into_iter().map(Suppression::from).collect();
    Ok(Page::from_found(
        found,
        page.limit,
        |suppression: &Suppression| suppression.id,
    ))
}

/// Which of these addresses a message of this class must not go to.
pub(crate) async fn among(
    tx: &TenantTx,
    channel: &str,
    addresses: Vec<String>,
    class: Option<String>,
) -> Result<Vec<String>, DatabaseError> {
    let params = (tx.tenant(), channel.to_owned(), addresses, class);
    let found = tx.all(&AMONG, params).await?;
    Ok(found.into_iter().map(|(address,)| address).collect())
}

impl From<Stored> for Suppression {
    fn from(stored: Stored) -> Self {
        let said = Said::parse(&stored.source).unwrap_or(Said::Api);
        Self {
            id: stored.id,
            channel: stored.channel,
            address: stored.address,
            // The check constraints of the tables admit no other.
            scope: Scope::parse(&stored.scope).unwrap_or(Scope::All),
            source: stored.source,
            reason: stored.reason.unwrap_or_else(|| said.reason().to_owned()),
            created_at: stored.created_at,
        }
    }
}
