//! All SQL about data keys. What a service does for one tenant runs under its own login and its policies; sealing anew runs
//! under the system login, for all tenants.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, Query, SystemTx, Transaction, row, statements};
use plaza_kernel::Scope;
use uuid::Uuid;

row! {
    /// A data key as it is kept.
    #[derive(Debug, Clone)]
    pub(crate) struct Kept {
        pub(crate) tenant: Option<Uuid>,
        pub(crate) id: Uuid,
        pub(crate) wrapped: String,
        /// Whether the transaction that reads it wrote it: nobody knows yet whether it will stay.
        pub(crate) fresh: bool,
    }
}

const OF_TENANT: &str = "SELECT tenant_id AS tenant, id, wrapped,
                coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false) AS fresh
           FROM data_keys
          WHERE tenant_id = $1 AND state = 'active'";
const OF_PLATFORM: &str = "SELECT tenant_id AS tenant, id, wrapped,
                coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false) AS fresh
           FROM data_keys
          WHERE tenant_id IS NULL AND state = 'active'";
const BY_ID: &str = "SELECT tenant_id AS tenant, id, wrapped,
                coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false) AS fresh
           FROM data_keys
          WHERE id = $1";
const ADD: &str =
    "INSERT INTO data_keys (tenant_id, id, wrapped, state, created_at) VALUES ($1, $2, $3, 'active', $4)
         ON CONFLICT DO NOTHING";

/// A key of which tenant, which id, how it is wrapped, and since when.
type Added = (Option<Uuid>, Uuid, String, DateTime<Utc>);

/// What both logins do.
pub(crate) struct Statements {
    of_tenant: &'static Query<(Uuid,), Kept>,
    of_platform: &'static Query<(), Kept>,
    by_id: &'static Query<(Uuid,), Kept>,
    add: &'static Query<Added, ()>,
}

statements! {
    static SERVICE_OF_TENANT: (Uuid,) => Kept = OF_TENANT;
    static SERVICE_OF_PLATFORM: () => Kept = OF_PLATFORM;
    static SERVICE_BY_ID: (Uuid,) => Kept = BY_ID;
    static SERVICE_ADD: Added => () = ADD;
    system static SYSTEM_OF_TENANT: (Uuid,) => Kept = OF_TENANT;
    system static SYSTEM_OF_PLATFORM: () => Kept = OF_PLATFORM;
    system static SYSTEM_BY_ID: (Uuid,) => Kept = BY_ID;
    system static SYSTEM_ADD: Added => () = ADD;

    system static ANY: () => (bool,) = "SELECT EXISTS (SELECT FROM data_keys)";

    /// A page of those that another key of the ring wraps.
    system static OF_OTHERS: (String, Uuid, i64) => Kept =
        "SELECT tenant_id AS tenant, id, wrapped, false AS fresh
           FROM data_keys
          WHERE kek <> $1 AND id > $2
          ORDER BY id LIMIT $3";

    /// Only where it is still wrapped as it was read.
    system static REWRAP: (Vec<Uuid>, Vec<String>, Vec<String>) => () =
        "UPDATE data_keys d
            SET wrapped = n.wrapped
           FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (id, was, wrapped)
          WHERE d.id = n.id AND d.wrapped = n.was";

    system static RETIRED: () => (Uuid,) = "SELECT id FROM data_keys WHERE state = 'retired'";

    system static RETIRE: (f64,) => () =
        "UPDATE data_keys SET state = 'retired'
          WHERE state = 'active' AND created_at <= now() - make_interval(secs => $1)";

    system static USES: () => (String, i64) = "SELECT kek, count(*) FROM data_keys GROUP BY kek ORDER BY kek";

    system static SAMPLE: (String, i64) => Kept =
        "SELECT tenant_id AS tenant, id, wrapped, false AS fresh
           FROM data_keys
          WHERE kek = $1
          ORDER BY id LIMIT $2";

    system static SHRED: (Uuid,) => () = "DELETE FROM data_keys WHERE tenant_id = $1";
}

/// As the service, for one tenant or the platform.
pub(crate) static SERVICE: Statements = Statements {
    of_tenant: &SERVICE_OF_TENANT,
    of_platform: &SERVICE_OF_PLATFORM,
    by_id: &SERVICE_BY_ID,
    add: &SERVICE_ADD,
};

/// As the system login.
pub(crate) static SYSTEM: Statements = Statements {
    of_tenant: &SYSTEM_OF_TENANT,
    of_platform: &SYSTEM_OF_PLATFORM,
    by_id: &SYSTEM_BY_ID,
    add: &SYSTEM_ADD,
};

impl Statements {
    /// The key that seals for this scope.
    pub(crate) async fn active(&self, tx: &Transaction, scope: Scope) -> Result<Option<Kept>, DatabaseError> {
        match scope.tenant() {
            Some(tenant) => tx.optional(self.of_tenant, (tenant.as_uuid(),)).await,
            None => tx.optional(self.of_platform, ()).await,
        }
    }

    /// Adds one, unless there is an active one already.
    pub(crate) async fn add(
        &self,
        tx: &Transaction,
        scope: Scope,
        id: Uuid,
        wrapped: String,
        at: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let tenant = scope.tenant().map(|tenant| tenant.as_uuid());
        tx.execute(self.add, (tenant, id, wrapped, at)).await.map(drop)
    }

    /// One by its id, inside a transaction.
    pub(crate) async fn find(&self, tx: &Transaction, id: Uuid) -> Result<Option<Kept>, DatabaseError> {
        tx.optional(self.by_id, (id,)).await
    }
}

/// One by its id, if it belongs to the scope; on a shared connection.
pub(crate) async fn read(database: &Database, scope: Scope, id: Uuid) -> Result<Option<Kept>, DatabaseError> {
    let found = match scope.tenant() {
        Some(tenant) => database.read(tenant, SERVICE.by_id, (id,)).await?,
        None => database.read_platform(SERVICE.by_id, (id,)).await?,
    };
    Ok(found.into_iter().next())
}

/// Whether anything was ever sealed with a data key here.
pub(crate) async fn any(tx: &SystemTx) -> Result<bool, DatabaseError> {
    Ok(tx.one(&ANY, ()).await?.0)
}

/// Those after this id that the first key of the ring does not wrap.
pub(crate) async fn of_others(
    tx: &SystemTx,
    first: &str,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Kept>, DatabaseError> {
    tx.all(&OF_OTHERS, (first.to_owned(), after, limit)).await
}

/// Puts newly wrapped ones in place: id, as it was, as it is to be. Says how many it was.
pub(crate) async fn rewrap(
    tx: &SystemTx,
    ids: Vec<Uuid>,
    was: Vec<String>,
    wrapped: Vec<String>,
) -> Result<u64, DatabaseError> {
    tx.execute(&REWRAP, (ids, was, wrapped)).await
}

/// Those that seal no more, as values name them.
pub(crate) async fn retired(tx: &SystemTx) -> Result<Vec<String>, DatabaseError> {
    let ids = tx.all(&RETIRED, ()).await?;
    Ok(ids.into_iter().map(|(id,)| id.simple().to_string()).collect())
}

/// Lets those that are this old seal no more.
pub(crate) async fn retire(tx: &SystemTx, age: std::time::Duration) -> Result<u64, DatabaseError> {
    tx.execute(&RETIRE, (age.as_secs_f64(),)).await
}

/// How many each key of the ring wraps.
pub(crate) async fn uses(tx: &SystemTx) -> Result<Vec<(String, i64)>, DatabaseError> {
    tx.all(&USES, ()).await
}

/// Some that a key of the ring wraps.
pub(crate) async fn sample(tx: &SystemTx, kek: &str, limit: i64) -> Result<Vec<Kept>, DatabaseError> {
    tx.all(&SAMPLE, (kek.to_owned(), limit)).await
}

/// Forgets those of a tenant for ever.
pub(crate) async fn shred(tx: &SystemTx, tenant: Uuid) -> Result<u64, DatabaseError> {
    tx.execute(&SHRED, (tenant,)).await
}
