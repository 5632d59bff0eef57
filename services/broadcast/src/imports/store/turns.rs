//! What whoever works on an import says: which one is theirs, and how far they are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, SystemTx, TenantTx, statements};
use uuid::Uuid;

use crate::ImportId;
use crate::imports::profile::Profile;
use crate::imports::{ImportCounts, ImportFormat, ImportProblem, ImportState, StoredImport};
use crate::work::{Claimed, in_milliseconds};

type Progress = (ImportId, Uuid, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);
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
                updated_at = now(), attempts = attempts + 1
           FROM next WHERE i.tenant_id = next.tenant_id AND i.id = next.id
         RETURNING i.tenant_id, i.id, i.traceparent";

    static UNCOUNTED: (ImportId, Uuid) => () =
        "UPDATE broadcast.imports SET attempts = greatest(attempts - 1, 0)
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static LOCK: (ImportId, Uuid) => StoredImport =
        concat!(
            columns!(),
            "WHERE id = $1 AND lease_token = $2 AND state = 'running'
                FOR UPDATE"
        );

    static PROFILED: (ImportId, Uuid, serde_json::Value, i64, i64, i64, ImportFormat, DateTime<Utc>) => () =
        "UPDATE broadcast.imports
            SET layout = $3, bytes_done = $4, bytes_total = $5, updated_at = now(),
                lease_until = now() + $6::bigint * interval '1 millisecond', attempts = 0, format = $7, started_at = $8
          WHERE id = $1 AND lease_token = $2 AND state = 'running'";

    static ADVANCE: Progress => () =
        "UPDATE broadcast.imports
            SET updated_at = now(), lease_until = now() + $3::bigint * interval '1 millisecond', bytes_done = $4,
                rows_done = $5, valid = valid + $6, duplicate = duplicate + $7, missing = missing + $8,
                invalid = invalid + $9, damaged = damaged + $10, created = created + $11, updated = updated + $12,
                attempts = 0
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
}

/// Leases an import that waits, or whose holder has not been heard of: of the next tenant after this one. It counts as an
/// attempt until the import gets on: a file that ends the process is told by nobody.
pub(crate) async fn claim(
    tx: &SystemTx,
    token: Uuid,
    lease: Duration,
    after: Uuid,
) -> Result<Option<Claimed<ImportId>>, DatabaseError> {
    tx.optional(&CLAIM, (token, in_milliseconds(lease), after)).await
}

/// Takes back that an attempt was counted: what ended it passes.
pub(crate) async fn uncounted(tx: &TenantTx, id: ImportId, token: Uuid) -> Result<(), DatabaseError> {
    tx.execute(&UNCOUNTED, (id, token)).await.map(|_| ())
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
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let layout = serde_json::json!(profile.layout);
    let params = (
        id,
        token,
        layout,
        signed(profile.start),
        signed(profile.bytes),
        in_milliseconds(lease),
        profile.layout.format,
        now,
    );
    Ok(tx.execute(&PROFILED, params).await? > 0)
}

/// How far the import is after a batch.
pub(crate) struct Advance {
    pub(crate) bytes_done: u64,
    pub(crate) rows_done: u64,
    pub(crate) counts: ImportCounts,
    /// Of the valid ones, those that are new, and those that were known.
    pub(crate) created: i64,
    pub(crate) updated: i64,
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
        advance.created,
        advance.updated,
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

/// Bytes and rows fit: a file is shorter than 2^63 bytes.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
