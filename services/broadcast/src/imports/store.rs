//! All SQL about imports.

use std::time::Duration;

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
use crate::work::{Claimed, in_milliseconds, traceparent};

type Progress = (ImportId, Uuid, i64, i64, i64, i64, i64, i64, i64, i64);
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

    static INSERT: (TenantId, ImportId, Json<ImportMapping>, i64, Option<String>, DateTime<Utc>) => () =
        "INSERT INTO broadcast.imports
                (tenant_id, id, state, requested, bytes_total, traceparent, created_at, updated_at)
         VALUES ($1, $2, 'uploaded', $3, $4, $5, $6, $6)";

    // The next tenant after this one that has an import to be read and none that is being read; of its imports the one
    // that waits longest. Jumps from tenant to tenant along `imports_open_of_tenant`, and no further than it has to.
    // `imports_one_running` holds when two claim at once. Leases are measured by the database's clock alone.
    system static CLAIM: (Uuid, i64, Uuid) => Claimed<ImportId> =
        "WITH RECURSIVE waiting AS (
             (SELECT i.tenant_id FROM broadcast.imports AS i
               WHERE i.state IN ('uploaded', 'running') AND i.tenant_id > $3
               ORDER BY i.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT i.tenant_id FROM broadcast.imports AS i
                      WHERE i.state IN ('uploaded', 'running') AND i.tenant_id > w.tenant_id
                      ORDER BY i.tenant_id LIMIT 1)
               FROM waiting AS w WHERE w.tenant_id IS NOT NULL
         ), next AS MATERIALIZED (
             SELECT oldest.tenant_id, oldest.id
               FROM waiting AS w
              CROSS JOIN LATERAL (
                    SELECT i.tenant_id, i.id FROM broadcast.imports AS i
                     WHERE i.tenant_id = w.tenant_id AND i.state IN ('uploaded', 'running')
                       AND (i.lease_until IS NULL OR i.lease_until < now())
                       AND NOT EXISTS (SELECT FROM broadcast.imports AS other
                                        WHERE other.tenant_id = i.tenant_id AND other.state = 'running'
                                          AND other.id <> i.id)
                     ORDER BY i.updated_at, i.id
                     LIMIT 1 FOR UPDATE SKIP LOCKED) AS oldest
              LIMIT 1
         )
         UPDATE broadcast.imports AS i
            SET state = 'running', lease_token = $1, lease_until = now() + $2::bigint * interval '1 millisecond',
                updated_at = now()
           FROM next WHERE i.tenant_id = next.tenant_id AND i.id = next.id
         RETURNING i.tenant_id, i.id, i.traceparent";

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

    static PROFILED: (ImportId, Uuid, serde_json::Value, i64, i64, i64) => () =
        "UPDATE broadcast.imports
            SET layout = $3, bytes_done = $4, bytes_total = $5, updated_at = now(),
                lease_until = now() + $6::bigint * interval '1 millisecond', attempts = 0
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static ADVANCE: Progress => () =
        "UPDATE broadcast.imports
            SET updated_at = now(), lease_until = now() + $3::bigint * interval '1 millisecond', bytes_done = $4,
                rows_done = $5, valid = valid + $6, duplicate = duplicate + $7, missing = missing + $8,
                invalid = invalid + $9, damaged = damaged + $10, attempts = 0
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static END: End => () =
        "UPDATE broadcast.imports
            SET state = $3, updated_at = $4, finished_at = $4, error_code = $5, error_row = $6, error_text = $7,
                lease_token = NULL, lease_until = NULL
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static RENEW: (ImportId, Uuid, i64) => () =
        "UPDATE broadcast.imports SET lease_until = now() + $3::bigint * interval '1 millisecond'
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static RELEASE: (ImportId, Uuid) => () =
        "UPDATE broadcast.imports SET lease_until = NULL, updated_at = now()
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

/// A new import of a file that is on the disk, in the trace of the work at hand.
pub(crate) async fn insert(
    tx: &TenantTx,
    id: ImportId,
    requested: ImportMapping,
    bytes: i64,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let params = (tx.tenant(), id, Json(requested), bytes, traceparent(), now);
    tx.execute(&INSERT, params).await.map(|_| ())
}

/// Leases an import that waits, or whose holder has not been heard of: of the next tenant after this one.
pub(crate) async fn claim(
    tx: &SystemTx,
    token: Uuid,
    lease: Duration,
    after: Uuid,
) -> Result<Option<Claimed<ImportId>>, DatabaseError> {
    tx.optional(&CLAIM, (token, in_milliseconds(lease), after)).await
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
    lease: Duration,
) -> Result<bool, DatabaseError> {
    let layout = serde_json::json!(profile.layout);
    let params = (
        id,
        token,
        layout,
        signed(profile.start),
        signed(profile.bytes),
        in_milliseconds(lease),
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
    lease: Duration,
) -> Result<bool, DatabaseError> {
    let counts = advance.counts;
    let params = (
        id,
        token,
        in_milliseconds(lease),
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

/// Keeps the lease for so long.
pub(crate) async fn renew(
    tx: &TenantTx,
    id: ImportId,
    token: Uuid,
    lease: Duration,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&RENEW, (id, token, in_milliseconds(lease))).await? > 0)
}

/// Gives the lease back.
pub(crate) async fn release(tx: &TenantTx, id: ImportId, token: Uuid) -> Result<(), DatabaseError> {
    tx.execute(&RELEASE, (id, token)).await.map(|_| ())
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
