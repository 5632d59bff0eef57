//! All SQL about imports; that of whoever works on one is in `store/turns.rs`.

/// What is read of an import, and from where.
macro_rules! columns {
    () => {
        "SELECT id, state, requested, dry_run, layout, bytes_total, bytes_done, rows_done, valid, duplicate, missing,
                invalid, damaged, created, updated, error_code, error_row, error_text, created_at, started_at, updated_at,
                finished_at, attempts
           FROM broadcast.imports
          "
    };
}

mod turns;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx, TenantTx, statements};
use plaza_kernel::TenantId;
use postgres_types::Json;
use uuid::Uuid;

pub(crate) use turns::{Advance, advance, claim, end, lock, profiled, release, renew, uncounted};

use super::StoredImport;
use super::classify::ErrorClass;
use super::mapping::ImportMapping;
use crate::ImportId;
use crate::listing::Window;
use crate::work::traceparent;

statements! {
    static LIST: (Uuid, i64, i64) => StoredImport =
        concat!(
            columns!(),
            "WHERE id < $1
              ORDER BY id DESC
              LIMIT $2 OFFSET $3"
        );

    static GET: (ImportId,) => StoredImport =
        concat!(
            columns!(),
            "WHERE id = $1"
        );

    static INSERT: (TenantId, ImportId, Json<ImportMapping>, i64, Option<String>, DateTime<Utc>, bool) => () =
        "INSERT INTO broadcast.imports
                (tenant_id, id, state, requested, bytes_total, traceparent, created_at, updated_at, dry_run)
         VALUES ($1, $2, 'uploaded', $3, $4, $5, $6, $6, $7)";

    // Whoever reads it notices when they write next: they hold no lease any more.
    static CANCEL: (ImportId, DateTime<Utc>) => () =
        "UPDATE broadcast.imports
            SET state = 'cancelled', cancelled_at = $2, finished_at = $2, updated_at = $2, lease_token = NULL,
                lease_until = NULL
          WHERE id = $1 AND state IN ('uploaded', 'running')";

    static HOLD: (ImportId,) => StoredImport =
        concat!(
            columns!(),
            "WHERE id = $1
                FOR UPDATE"
        );

    // By their places in the table, which needs no plan that could be a bad one.
    static FORGET: (ImportId,) => () =
        "DELETE FROM broadcast.import_numbers
          WHERE ctid = ANY (ARRAY(SELECT ctid FROM broadcast.import_numbers WHERE import_id = $1 LIMIT 10000))";

    // Dry runs that are over, and whose numbers are still there.
    system static REMEMBERED: () => (TenantId, ImportId) =
        "SELECT i.tenant_id, i.id
           FROM broadcast.imports AS i
          WHERE i.dry_run AND i.state NOT IN ('uploaded', 'running')
            AND EXISTS (SELECT FROM broadcast.import_numbers AS n WHERE n.tenant_id = i.tenant_id AND n.import_id = i.id)
          LIMIT 100";

    static ERRORS: (TenantId, ImportId, Vec<i64>, Vec<ErrorClass>, Vec<String>) => () =
        "INSERT INTO broadcast.import_errors (tenant_id, import_id, row, class, value)
         SELECT $1, $2, e.row, e.class, e.value
           FROM unnest($3::bigint[], $4::text[], $5::text[]) AS e (row, class, value)";

    static ERROR_PAGE: (ImportId, i64) => (i64, String, String) =
        "SELECT row, class, value
           FROM broadcast.import_errors
          WHERE import_id = $1 AND row > $2
          ORDER BY row
          LIMIT 500";
}

/// Imports, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    window: Window,
) -> Result<Vec<StoredImport>, DatabaseError> {
    database
        .read(
            tenant,
            &LIST,
            (window.below(), window.limit.and_one(), window.skip),
        )
        .await
}

/// One import.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: ImportId,
) -> Result<Option<StoredImport>, DatabaseError> {
    Ok(database.read(tenant, &GET, (id,)).await?.into_iter().next())
}

/// A new import of a file that is on the disk, in the trace of the work at hand.
pub(crate) async fn insert(
    tx: &TenantTx,
    id: ImportId,
    requested: ImportMapping,
    bytes: i64,
    dry_run: bool,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let requested = Json(requested);
    let params = (tx.tenant(), id, requested, bytes, traceparent(), now, dry_run);
    tx.execute(&INSERT, params).await.map(|_| ())
}

/// The import, held until the transaction ends, whoever has the lease.
pub(crate) async fn hold(tx: &TenantTx, id: ImportId) -> Result<Option<StoredImport>, DatabaseError> {
    tx.optional(&HOLD, (id,)).await
}

/// Ends an import that is not over, and takes it from whoever reads it; whether it was not over.
pub(crate) async fn cancel(tx: &TenantTx, id: ImportId, now: DateTime<Utc>) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&CANCEL, (id, now)).await? > 0)
}

/// Removes at most 10,000 of the numbers that a dry run has seen; whether there may be more.
pub(crate) async fn forget(tx: &TenantTx, id: ImportId) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&FORGET, (id,)).await? > 0)
}

/// Dry runs that are over, and whose numbers are still there: at most a hundred.
pub(crate) async fn remembered(tx: &SystemTx) -> Result<Vec<(TenantId, ImportId)>, DatabaseError> {
    tx.all(&REMEMBERED, ()).await
}

/// Keeps the rows that made no recipient.
pub(crate) async fn add_errors(
    tx: &TenantTx,
    id: ImportId,
    errors: Vec<(i64, ErrorClass, String)>,
) -> Result<(), DatabaseError> {
    if errors.is_empty() {
        return Ok(());
    }
    let (mut rows, mut classes, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (row, class, value) in errors {
        rows.push(row);
        classes.push(class);
        values.push(value);
    }
    tx.execute(&ERRORS, (tx.tenant(), id, rows, classes, values))
        .await
        .map(|_| ())
}

/// At most 500 rows that made no recipient, after this one.
pub(crate) async fn error_page(
    database: &Database,
    tenant: TenantId,
    id: ImportId,
    after: i64,
) -> Result<Vec<(i64, String, String)>, DatabaseError> {
    database.read(tenant, &ERROR_PAGE, (id, after)).await
}
