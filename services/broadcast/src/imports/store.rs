//! All SQL about imports.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx, TenantTx, statements};
use plaza_kernel::TenantId;
use postgres_types::Json;
use uuid::Uuid;

use super::classify::ErrorClass;
use super::mapping::ImportMapping;
use super::profile::Profile;
use super::{ImportCounts, ImportProblem, ImportState, StoredImport};
use crate::ImportId;
use crate::listing::Window;

type Progress = (
    ImportId,
    Uuid,
    DateTime<Utc>,
    DateTime<Utc>,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
);
type End = (
    ImportId,
    Uuid,
    ImportState,
    DateTime<Utc>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

statements! {
    static LIST: (Uuid, i64, i64) => StoredImport =
        "SELECT id, state, requested, layout, bytes_total, bytes_done, rows_done, valid, duplicate, missing, invalid,
                damaged, error_code, error_row, error_text, created_at, finished_at
           FROM broadcast.imports
          WHERE id < $1
          ORDER BY id DESC
          LIMIT $2 OFFSET $3";

    static GET: (ImportId,) => StoredImport =
        "SELECT id, state, requested, layout, bytes_total, bytes_done, rows_done, valid, duplicate, missing, invalid,
                damaged, error_code, error_row, error_text, created_at, finished_at
           FROM broadcast.imports
          WHERE id = $1";

    static INSERT: (TenantId, ImportId, Json<ImportMapping>, i64, DateTime<Utc>) => () =
        "INSERT INTO broadcast.imports (tenant_id, id, state, requested, bytes_total, created_at, updated_at)
         VALUES ($1, $2, 'uploaded', $3, $4, $5, $5)";

    // One import of a tenant at a time, the earlier first; of several tenants, the one that waited longest.
    // `imports_one_running` holds when two claim at once.
    system static CLAIM: (Uuid, DateTime<Utc>, DateTime<Utc>) => (TenantId, ImportId) =
        "UPDATE broadcast.imports
            SET state = 'running', lease_token = $1, lease_until = $2, updated_at = $3
          WHERE (tenant_id, id) = (
                SELECT waiting.tenant_id, waiting.id
                  FROM broadcast.imports AS waiting
                 WHERE waiting.state IN ('uploaded', 'running')
                   AND (waiting.lease_until IS NULL OR waiting.lease_until < $3)
                   AND NOT EXISTS (
                       SELECT FROM broadcast.imports AS other
                        WHERE other.tenant_id = waiting.tenant_id AND other.state = 'running'
                          AND other.id <> waiting.id)
                 ORDER BY waiting.updated_at, waiting.id
                 LIMIT 1
                   FOR UPDATE SKIP LOCKED)
         RETURNING tenant_id, id";

    static FAILED: (ImportId, Uuid) => (i32,) =
        "UPDATE broadcast.imports SET attempts = attempts + 1
          WHERE id = $1 AND lease_token = $2 AND state = 'running'
         RETURNING attempts";

    static LOCK: (ImportId, Uuid) => StoredImport =
        "SELECT id, state, requested, layout, bytes_total, bytes_done, rows_done, valid, duplicate, missing, invalid,
                damaged, error_code, error_row, error_text, created_at, finished_at
           FROM broadcast.imports
          WHERE id = $1 AND lease_token = $2 AND state = 'running'
            FOR UPDATE";

    static PROFILED: (ImportId, Uuid, serde_json::Value, i64, i64, DateTime<Utc>, DateTime<Utc>) => () =
        "UPDATE broadcast.imports
            SET layout = $3, bytes_done = $4, bytes_total = $5, updated_at = $6, lease_until = $7, attempts = 0
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static ADVANCE: Progress => () =
        "UPDATE broadcast.imports
            SET updated_at = $3, lease_until = $4, bytes_done = $5, rows_done = $6, valid = valid + $7,
                duplicate = duplicate + $8, missing = missing + $9, invalid = invalid + $10, damaged = damaged + $11,
                attempts = 0
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static END: End => () =
        "UPDATE broadcast.imports
            SET state = $3, updated_at = $4, finished_at = $4, error_code = $5, error_row = $6, error_text = $7,
                lease_token = NULL, lease_until = NULL
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static RENEW: (ImportId, Uuid, DateTime<Utc>) => () =
        "UPDATE broadcast.imports SET lease_until = $3 WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static RELEASE: (ImportId, Uuid, DateTime<Utc>) => () =
        "UPDATE broadcast.imports SET lease_until = NULL, updated_at = $3
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

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

/// A new import of a file that is on the disk.
pub(crate) async fn insert(
    tx: &TenantTx,
    id: ImportId,
    requested: ImportMapping,
    bytes: i64,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&INSERT, (tx.tenant(), id, Json(requested), bytes, now))
        .await
        .map(|_| ())
}

/// Leases an import that waits, or whose holder has not been heard of.
pub(crate) async fn claim(
    tx: &SystemTx,
    token: Uuid,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<(TenantId, ImportId)>, DatabaseError> {
    tx.optional(&CLAIM, (token, until, now)).await
}

/// Counts a failure: how many there were since the import last got on. None when somebody else has the lease.
pub(crate) async fn failed(tx: &TenantTx, id: ImportId, token: Uuid) -> Result<Option<i32>, DatabaseError> {
    let counted = tx.optional(&FAILED, (id, token)).await?;
    Ok(counted.map(|(failures,)| failures))
}

/// The import, held until the transaction ends; none when somebody else has the lease.
pub(crate) async fn lock(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
) -> Result<Option<StoredImport>, DatabaseError> {
    tx.optional(&LOCK, (id, token)).await
}

/// Keeps what the first look at the file found; whether the lease still held.
pub(crate) async fn profiled(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
    profile: &Profile,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, DatabaseError> {
    let layout = serde_json::json!(profile.layout);
    let params = (
        id,
        token,
        layout,
        signed(profile.start),
        signed(profile.bytes),
        now,
        until,
    );
    Ok(tx.execute(&PROFILED, params).await? > 0)
}

/// How far the import is after a batch.
pub(crate) struct Advance {
    pub(crate) bytes_done: u64,
    pub(crate) rows_done: u64,
    pub(crate) counts: ImportCounts,
}

/// Moves the import on; whether the lease still held.
pub(crate) async fn advance(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
    advance: &Advance,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, DatabaseError> {
    let counts = advance.counts;
    let params = (
        id,
        token,
        now,
        until,
        signed(advance.bytes_done),
        signed(advance.rows_done),
        counts.valid,
        counts.duplicate,
        counts.missing_phone,
        counts.invalid_phone,
        counts.damaged_by_spreadsheet,
    );
    Ok(tx.execute(&ADVANCE, params).await? > 0)
}

/// Ends the import; whether the lease still held.
pub(crate) async fn end(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
    state: ImportState,
    now: DateTime<Utc>,
    problem: Option<ImportProblem>,
) -> Result<bool, DatabaseError> {
    let (code, row, text) = problem.map_or((None, None, None), |p| (Some(p.code), p.row, Some(p.detail)));
    Ok(tx.execute(&END, (id, token, state, now, code, row, text)).await? > 0)
}

/// Keeps the lease for longer.
pub(crate) async fn renew(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
    until: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&RENEW, (id, token, until)).await? > 0)
}

/// Gives the lease back.
pub(crate) async fn release(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&RELEASE, (id, token, now)).await.map(|_| ())
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

/// Bytes and rows fit: a file is shorter than 2^63 bytes.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
