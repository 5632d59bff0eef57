//! All SQL about recipients.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::Recipient;
use super::consent::Consent;
use crate::imports::classify::Incoming;
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

type Rows = (
    TenantId,
    ImportId,
    DateTime<Utc>,
    String,
    Vec<RecipientId>,
    Vec<String>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<serde_json::Value>,
    Vec<Consent>,
    Vec<i64>,
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

    // A number that this import has written already is left alone and not returned: its row is a duplicate.
    // What a file does not say is kept as it is known.
    static IMPORT: Rows => (String,) =
        "INSERT INTO broadcast.recipients AS known
             (tenant_id, id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, consent_at,
              import_id, import_row, created_at, updated_at)
         SELECT $1, r.id, r.phone, r.external_id, r.name, r.country, r.timezone, r.locale, r.attrs, r.consent,
                CASE WHEN r.consent <> 'unknown' THEN $4 END, CASE WHEN r.consent <> 'unknown' THEN $3::timestamptz END,
                $2, r.number, $3, $3
           FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::jsonb[],
                       $13::text[], $14::bigint[])
                AS r (id, phone, external_id, name, country, timezone, locale, attrs, consent, number)
         ON CONFLICT (tenant_id, phone) DO UPDATE SET
             external_id = coalesce(excluded.external_id, known.external_id),
             name = coalesce(excluded.name, known.name),
             country = coalesce(excluded.country, known.country),
             timezone = coalesce(excluded.timezone, known.timezone),
             locale = coalesce(excluded.locale, known.locale),
             attrs = known.attrs || excluded.attrs,
             consent = CASE WHEN excluded.consent = 'unknown' THEN known.consent ELSE excluded.consent END,
             consent_source = coalesce(excluded.consent_source, known.consent_source),
             consent_at = coalesce(excluded.consent_at, known.consent_at),
             import_id = excluded.import_id,
             import_row = excluded.import_row,
             updated_at = excluded.updated_at
         WHERE known.import_id IS DISTINCT FROM excluded.import_id
         RETURNING phone";

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

/// Writes rows of an import and returns the numbers that this import had not written before. A number may occur only
/// once among them.
pub(crate) async fn import(
    tx: &TenantTx,
    import: ImportId,
    now: DateTime<Utc>,
    rows: Vec<(RecipientId, i64, Incoming)>,
) -> Result<Vec<String>, DatabaseError> {
    let mut columns: Rows = (
        tx.tenant(),
        import,
        now,
        format!("import:{import}"),
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
    );
    for (id, row, r) in rows {
        columns.4.push(id);
        columns.5.push(r.phone.into_string());
        columns.6.push(r.external_id);
        columns.7.push(r.name);
        columns.8.push(r.country.map(super::country::Country::code));
        columns.9.push(r.timezone);
        columns.10.push(r.locale);
        columns.11.push(
            r.attributes
                .into_iter()
                .map(|(key, value)| (key, serde_json::Value::from(value)))
                .collect(),
        );
        columns.12.push(r.consent);
        columns.13.push(row);
    }
    Ok(tx
        .all(&IMPORT, columns)
        .await?
        .into_iter()
        .map(|(phone,)| phone)
        .collect())
}
