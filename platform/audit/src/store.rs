//! All SQL of the audit.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, Query, SystemTx, Transaction, row, statements};
use plaza_kernel::{Scope, TenantId, UserId};
use uuid::Uuid;

use crate::canonical::Hash;
use crate::{AuditFilter, AuditId, AuditRow};

/// An entry to be written, column by column.
pub(crate) type NewRow = (
    AuditId,
    Option<TenantId>,
    DateTime<Utc>,
    String,
    Option<UserId>,
    Option<String>,
    Option<String>,
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
);

row! {
    /// An entry that is due or chained, if it is still there.
    pub(crate) struct Linked {
        pub(crate) holder: Uuid,
        /// Its place in the chain, if it has one, and the hash there.
        pub(crate) seq: Option<i64>,
        pub(crate) hash: Option<Vec<u8>>,
        /// The entry's id, as it was written down when it was due or chained.
        pub(crate) entry: Uuid,
        id: Option<Uuid>,
        tenant: Option<Uuid>,
        at: Option<DateTime<Utc>>,
        actor_kind: Option<String>,
        actor: Option<Uuid>,
        actor_role: Option<String>,
        request_id: Option<String>,
        action: Option<String>,
        target_kind: Option<String>,
        target: Option<String>,
        outcome: Option<String>,
        before: Option<String>,
        after: Option<String>,
    }
}

row! {
    /// Where a chain ends.
    pub(crate) struct Head {
        pub(crate) holder: Uuid,
        pub(crate) seq: i64,
        pub(crate) hash: Vec<u8>,
    }
}

/// What a list is asked with: tenant, before this id, from this id, actor, target, action, how many.
type Asked = (
    Option<Uuid>,
    Uuid,
    Uuid,
    Option<UserId>,
    Option<String>,
    Option<String>,
    i64,
);

/// One list, for a tenant or for the platform, by the index that fits.
macro_rules! listed {
    ($of:literal, $by:literal) => {
        concat!(
            "SELECT id, tenant_id AS tenant, at, actor_kind, actor, actor_role, request_id, action, target_kind, target,
                    outcome, before, after
               FROM audit
              WHERE ",
            $of,
            " AND id < $2 AND id >= $3",
            $by,
            "   AND ($4::uuid IS NULL OR actor = $4)
                AND ($5::text IS NULL OR target = $5)
                AND ($6::text IS NULL OR action = $6 OR right($6, 1) = '.' AND starts_with(action, $6))
              ORDER BY id DESC LIMIT $7"
        )
    };
}

statements! {
    /// The service's own name stands for it.
    static ADD: NewRow => () =
        "WITH written AS (
             INSERT INTO audit (id, tenant_id, at, actor_kind, actor, actor_role, request_id, action, target_kind, target,
                                outcome, before, after)
             VALUES ($1, $2, $3, $4, $5, CASE WHEN $4 = 'service' THEN current_schema()::text ELSE $6 END,
                     $7, $8, $9, $10, $11, $12, $13))
         INSERT INTO audit_due (holder, id)
         VALUES (coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid), $1)";

    static OF_TENANT: Asked => AuditRow = listed!("tenant_id = $1", "");
    static OF_TENANT_BY_ACTOR: Asked => AuditRow = listed!("tenant_id = $1", " AND actor = $4");
    static OF_TENANT_BY_TARGET: Asked => AuditRow = listed!("tenant_id = $1", " AND target = $5");
    static OF_PLATFORM: Asked => AuditRow = listed!("$1::uuid IS NULL AND tenant_id IS NULL", "");
    static OF_PLATFORM_BY_ACTOR: Asked => AuditRow = listed!("$1::uuid IS NULL AND tenant_id IS NULL", " AND actor = $4");
    static OF_PLATFORM_BY_TARGET: Asked => AuditRow =
        listed!("$1::uuid IS NULL AND tenant_id IS NULL", " AND target = $5");

    /// The row whose lock is the right to chain.
    system static OFFER: (Uuid,) => () =
        "INSERT INTO leases (name, holder, epoch, until) VALUES ('audit', $1, 0, now()) ON CONFLICT DO NOTHING";

    /// The right to chain, until the transaction ends; nothing if another process has it, or nothing is due.
    system static TAKE: () => (bool,) =
        "SELECT true FROM leases WHERE name = 'audit' AND EXISTS (SELECT FROM audit_due) FOR UPDATE SKIP LOCKED";

    /// The same, whether or not something is due. Waited for.
    system static TAKE_ANYWAY: () => (bool,) = "SELECT true FROM leases WHERE name = 'audit' FOR UPDATE";

    /// The first that are due of each of up to 64 tenants after this one.
    system static DUE: (Uuid, i64) => Linked =
        "WITH RECURSIVE holders AS (
             (SELECT holder, 1 AS n FROM audit_due WHERE holder > $1 ORDER BY holder LIMIT 1)
              UNION ALL
             SELECT next.holder, h.n + 1
               FROM holders h
              CROSS JOIN LATERAL (
                    SELECT d.holder FROM audit_due d WHERE d.holder > h.holder ORDER BY d.holder LIMIT 1) next
              WHERE h.n < 64)
         SELECT h.holder, NULL::int8 AS seq, NULL::bytea AS hash, due.id AS entry,
                a.id, a.tenant_id AS tenant, a.at, a.actor_kind, a.actor, a.actor_role, a.request_id, a.action,
                a.target_kind, a.target, a.outcome, a.before, a.after
           FROM holders h
          CROSS JOIN LATERAL (
                SELECT d.id FROM audit_due d WHERE d.holder = h.holder ORDER BY d.id LIMIT $2) due
           LEFT JOIN audit a ON a.id = due.id
          ORDER BY h.holder, due.id";

    system static HEADS: (Vec<Uuid>,) => Head =
        "SELECT h.holder, c.seq, c.hash
           FROM unnest($1::uuid[]) AS h (holder)
          CROSS JOIN LATERAL (
                SELECT seq, hash FROM audit_chain c WHERE c.holder = h.holder ORDER BY c.seq DESC LIMIT 1) c";

    /// Links entries to their chains; they are not due any more. Written while the right to chain is held, so the time is
    /// that of the statement.
    system static LINK: (Vec<Uuid>, Vec<i64>, Vec<Uuid>, Vec<Vec<u8>>) => () =
        "WITH linked AS (
             INSERT INTO audit_chain (tenant_id, seq, entry, hash, at)
             SELECT nullif(l.holder, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid), l.seq, l.entry, l.hash,
                    clock_timestamp()
               FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::bytea[]) AS l (holder, seq, entry, hash))
         DELETE FROM audit_due d
          USING unnest($1::uuid[], $3::uuid[]) AS l (holder, entry)
          WHERE d.holder = l.holder AND d.id = l.entry";

    /// A page of a chain, with its entries.
    static CHAINED: (Uuid, i64, i64) => Linked =
        "SELECT c.holder, c.seq, c.hash, c.entry,
                a.id, a.tenant_id AS tenant, a.at, a.actor_kind, a.actor, a.actor_role, a.request_id, a.action,
                a.target_kind, a.target, a.outcome, a.before, a.after
           FROM audit_chain c
           LEFT JOIN audit a ON a.id = c.entry
          WHERE c.holder = $1 AND c.seq > $2
          ORDER BY c.seq LIMIT $3";

    static WRITTEN_OF_TENANT: (Option<Uuid>, Uuid, i64) => (Uuid, DateTime<Utc>, bool) =
        "SELECT a.id, a.at, EXISTS (SELECT FROM audit_chain c WHERE c.entry = a.id)
           FROM audit a
          WHERE a.tenant_id = $1 AND a.id > $2
          ORDER BY a.id LIMIT $3";

    static WRITTEN_OF_PLATFORM: (Option<Uuid>, Uuid, i64) => (Uuid, DateTime<Utc>, bool) =
        "SELECT a.id, a.at, EXISTS (SELECT FROM audit_chain c WHERE c.entry = a.id)
           FROM audit a
          WHERE $1::uuid IS NULL AND a.tenant_id IS NULL AND a.id > $2
          ORDER BY a.id LIMIT $3";

    system static HOLDERS: () => (Option<Uuid>,) =
        "SELECT tenant_id FROM audit GROUP BY tenant_id
          UNION
         SELECT tenant_id FROM audit_chain GROUP BY tenant_id
          ORDER BY 1";

    system static NOW: () => (DateTime<Utc>,) = "SELECT clock_timestamp()";

    /// Where every chain ended at a time: chain by chain, from its end.
    system static HEADS_AT: (DateTime<Utc>,) => Head =
        "WITH RECURSIVE holders AS (
             (SELECT holder FROM audit_chain ORDER BY holder LIMIT 1)
              UNION ALL
             SELECT next.holder
               FROM holders h
              CROSS JOIN LATERAL (
                    SELECT c.holder FROM audit_chain c WHERE c.holder > h.holder ORDER BY c.holder LIMIT 1) next)
         SELECT h.holder, last.seq, last.hash
           FROM holders h
          CROSS JOIN LATERAL (
                SELECT c.seq, c.hash FROM audit_chain c
                 WHERE c.holder = h.holder AND c.at <= $1
                 ORDER BY c.seq DESC LIMIT 1) last
          ORDER BY h.holder";
}

/// Writes an entry, and that it is to be chained.
pub(crate) async fn add(tx: &Transaction, row: NewRow) -> Result<(), DatabaseError> {
    tx.execute(&ADD, row).await.map(drop)
}

/// Entries of a scope before and from these ids, newest first.
pub(crate) async fn list(
    database: &Database,
    scope: Scope,
    filter: &AuditFilter,
    (before, from): (Uuid, Uuid),
    limit: i64,
) -> Result<Vec<AuditRow>, DatabaseError> {
    let statements: [&'static Query<Asked, AuditRow>; 3] = match scope {
        Scope::Tenant(_) => [&OF_TENANT, &OF_TENANT_BY_TARGET, &OF_TENANT_BY_ACTOR],
        Scope::Platform => [&OF_PLATFORM, &OF_PLATFORM_BY_TARGET, &OF_PLATFORM_BY_ACTOR],
    };
    let [plain, by_target, by_actor] = statements;
    let statement = match filter {
        AuditFilter { target: Some(_), .. } => by_target,
        AuditFilter { actor: Some(_), .. } => by_actor,
        _ => plain,
    };
    let asked = (
        scope.tenant().map(|tenant| tenant.as_uuid()),
        before,
        from,
        filter.actor,
        filter.target.clone(),
        filter.action.clone(),
        limit,
    );
    match scope.tenant() {
        Some(tenant) => database.read(tenant, statement, asked).await,
        None => database.read_platform(statement, asked).await,
    }
}

/// Makes the row whose lock is the right to chain, if there is none.
pub(crate) async fn offer(tx: &SystemTx, holder: Uuid) -> Result<(), DatabaseError> {
    tx.execute(&OFFER, (holder,)).await.map(drop)
}

/// Takes the right to chain if something is due.
pub(crate) async fn take(tx: &SystemTx) -> Result<bool, DatabaseError> {
    Ok(tx.optional(&TAKE, ()).await?.is_some())
}

/// Waits for the right to chain. False before anybody has chained here.
pub(crate) async fn take_anyway(tx: &SystemTx) -> Result<bool, DatabaseError> {
    Ok(tx.optional(&TAKE_ANYWAY, ()).await?.is_some())
}

/// What is due, of tenants after this one.
pub(crate) async fn due(tx: &SystemTx, after: Uuid, of_each: i64) -> Result<Vec<Linked>, DatabaseError> {
    tx.all(&DUE, (after, of_each)).await
}

/// Where the chains of these end; those that have not begun are left out.
pub(crate) async fn heads(tx: &SystemTx, holders: Vec<Uuid>) -> Result<Vec<Head>, DatabaseError> {
    tx.all(&HEADS, (holders,)).await
}

/// A link to be written: whose chain, which place, which entry, which hash.
pub(crate) struct Link {
    pub(crate) holder: Uuid,
    pub(crate) seq: i64,
    pub(crate) entry: Uuid,
    pub(crate) hash: Hash,
}

/// Writes links and commits.
pub(crate) async fn link(tx: SystemTx, links: &[Link]) -> Result<(), DatabaseError> {
    let params = (
        links.iter().map(|link| link.holder).collect(),
        links.iter().map(|link| link.seq).collect(),
        links.iter().map(|link| link.entry).collect(),
        links.iter().map(|link| link.hash.to_vec()).collect(),
    );
    tx.execute_and_commit(&LINK, params).await.map(drop)
}

/// Links of a scope's chain after this place.
pub(crate) async fn chained(
    database: &Database,
    scope: Scope,
    after: i64,
    limit: i64,
) -> Result<Vec<Linked>, DatabaseError> {
    let asked = (holder(scope), after, limit);
    match scope.tenant() {
        Some(tenant) => database.read(tenant, &CHAINED, asked).await,
        None => database.read_platform(&CHAINED, asked).await,
    }
}

/// Entries of a scope after this id, when they were written, and whether they are chained.
pub(crate) async fn written(
    database: &Database,
    scope: Scope,
    after: Uuid,
    limit: i64,
) -> Result<Vec<(Uuid, DateTime<Utc>, bool)>, DatabaseError> {
    match scope.tenant() {
        Some(tenant) => {
            let asked = (Some(tenant.as_uuid()), after, limit);
            database.read(tenant, &WRITTEN_OF_TENANT, asked).await
        }
        None => {
            let asked = (None, after, limit);
            database.read_platform(&WRITTEN_OF_PLATFORM, asked).await
        }
    }
}

/// Everybody who has an entry or a link.
pub(crate) async fn holders(tx: &SystemTx) -> Result<Vec<Option<Uuid>>, DatabaseError> {
    let all = tx.all(&HOLDERS, ()).await?;
    Ok(all.into_iter().map(|(tenant,)| tenant).collect())
}

/// The database's time.
pub(crate) async fn now(tx: &SystemTx) -> Result<DateTime<Utc>, DatabaseError> {
    Ok(tx.one(&NOW, ()).await?.0)
}

/// Where every chain ended at a time, by holder.
pub(crate) async fn heads_at(tx: &SystemTx, at: DateTime<Utc>) -> Result<Vec<Head>, DatabaseError> {
    tx.all(&HEADS_AT, (at,)).await
}

/// Who a chain is for, as its rows say it: the platform stands for the last tenant there could be.
pub(crate) fn holder(scope: Scope) -> Uuid {
    scope.tenant().map_or(Uuid::max(), |tenant| tenant.as_uuid())
}

impl Linked {
    /// The entry, if it is there.
    pub(crate) fn row(self) -> Option<AuditRow> {
        Some(AuditRow {
            id: self.id?,
            tenant: self.tenant,
            at: self.at?,
            actor_kind: self.actor_kind?,
            actor: self.actor,
            actor_role: self.actor_role,
            request_id: self.request_id,
            action: self.action?,
            target_kind: self.target_kind?,
            target: self.target,
            outcome: self.outcome?,
            before: self.before,
            after: self.after,
        })
    }
}
