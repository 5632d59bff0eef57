//! All SQL about recipients; that of imports is in `store/import.rs`.

mod import;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

pub(crate) use import::{Arrival, Staging, Written, check, import};

use super::Recipient;
use super::consent::Consent;
use crate::listing::Window;
use crate::{ImportId, RecipientId};

type New = (
    TenantId,
    RecipientId,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    serde_json::Value,
    Consent,
    Option<String>,
    DateTime<Utc>,
);

statements! {
    static LIST: (Uuid, i64, i64) => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE id < $1
          ORDER BY id DESC
          LIMIT $2 OFFSET $3";

    // A number is unique: no list, whatever the page.
    static BY_PHONE: (Uuid, String) => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE phone = $2 AND id < $1";

    static OF_IMPORT: (Uuid, i64, i64, ImportId) => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE import_id = $4 AND id < $1
          ORDER BY id DESC
          LIMIT $2 OFFSET $3";

    static GET: (RecipientId,) => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE id = $1";

    static INSERT: New => () =
        "INSERT INTO broadcast.recipients
             (tenant_id, id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, consent_at,
              created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, CASE WHEN $11::text IS NOT NULL THEN $12::timestamptz END,
                 $12, $12)";

    static DELETE: (RecipientId,) => () =
        "DELETE FROM broadcast.recipients WHERE id = $1";

    static LAST: () => (RecipientId,) =
        "SELECT id FROM broadcast.recipients ORDER BY id DESC LIMIT 1";
}

/// Recipients, newest first. A statement of its own for each filter: one for all of them could use no index.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    window: Window,
    phone: Option<String>,
    import: Option<ImportId>,
) -> Result<Vec<Recipient>, DatabaseError> {
    let (below, limit, skip) = (window.below(), window.limit.and_one(), window.skip);
    match (phone, import) {
        (None, None) => database.read(tenant, &LIST, (below, limit, skip)).await,
        (None, Some(import)) => {
            database
                .read(tenant, &OF_IMPORT, (below, limit, skip, import))
                .await
        }
        (Some(phone), import) => {
            let mut found = database.read(tenant, &BY_PHONE, (below, phone)).await?;
            found.retain(|recipient| skip == 0 && (import.is_none() || recipient.import_id == import));
            Ok(found)
        }
    }
}

/// One recipient.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: RecipientId,
) -> Result<Option<Recipient>, DatabaseError> {
    Ok(database.read(tenant, &GET, (id,)).await?.into_iter().next())
}

/// Adds a recipient; breaks `recipients_phone_key` when the number is known.
pub(crate) async fn insert(tx: &TenantTx, recipient: &Recipient) -> Result<(), DatabaseError> {
    let r = recipient.clone();
    let params = (
        tx.tenant(),
        r.id,
        r.phone,
        r.external_id,
        r.name,
        r.country,
        r.timezone,
        r.locale,
        r.attrs,
        r.consent,
        r.consent_source,
        r.created_at,
    );
    tx.execute(&INSERT, params).await.map(|_| ())
}

/// Removes a recipient; whether there was one.
pub(crate) async fn delete(tx: &TenantTx, id: RecipientId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&DELETE, (id,)).await? > 0)
}

/// The recipient that was added last, as this transaction sees it.
pub(crate) async fn last(tx: &TenantTx) -> Result<Option<RecipientId>, DatabaseError> {
    Ok(tx.optional(&LAST, ()).await?.map(|(id,)| id))
}
