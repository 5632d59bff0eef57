//! Tenants are kept apart by the database itself: on the tables of all services, with every predicate stripped.

use std::fmt::Debug;

use plaza_contracts::services::BROADCAST;
use plaza_database::{Database, Query, Row, Schema};
use plaza_kernel::{ServiceName, TenantId};
use plaza_testkit::{TestDatabase, callers, catalogue};
use tokio_postgres::Client;

use super::schemas;

/// A table of tenants' rows.
struct Table {
    /// `schema.table`.
    label: String,
    /// Whether the service may read whose the rows are.
    readable: bool,
    /// Whether it may read anything of them.
    countable: bool,
    /// Whether the platform has rows in it too.
    scoped: bool,
    /// What a row cannot be without: names and types.
    required: Vec<(String, String)>,
}

const TABLES: &str = "
    SELECT format('%I.%I', n.nspname, c.relname),
           has_column_privilege('plaza_' || n.nspname, c.oid, 'tenant_id', 'SELECT'),
           has_any_column_privilege('plaza_' || n.nspname, c.oid, 'SELECT'),
           NOT t.attnotnull,
           ARRAY(SELECT a.attname::text FROM required a WHERE a.attrelid = c.oid ORDER BY a.attnum),
           ARRAY(SELECT format_type(a.atttypid, NULL) FROM required a WHERE a.attrelid = c.oid ORDER BY a.attnum)
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped
     WHERE c.relkind IN ('r', 'p') AND n.nspname = $1
     ORDER BY 1";

const REQUIRED: &str = "
    WITH required AS (
        SELECT * FROM pg_attribute
         WHERE attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
           AND attidentity = '' AND attgenerated = '' AND attname <> 'tenant_id')";

/// The columns say what they hold, the checks say more than a made-up value can keep; policies are what is tested.
const DROP_CHECKS: &str = "
    DO $$
    DECLARE found record;
    BEGIN
        FOR found IN SELECT conrelid::regclass AS owner, conname FROM pg_constraint
                      WHERE contype = 'c' AND conrelid <> 0 AND conislocal
                        AND connamespace::regnamespace::text !~ '^(pg_|information_schema)'
        LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.owner, found.conname);
        END LOOP;
    END $$";

async fn tables(admin: &Client, service: ServiceName) -> Vec<Table> {
    let rows = admin
        .query(&format!("{REQUIRED}{TABLES}"), &[&service.as_str()])
        .await
        .unwrap();
    rows.iter()
        .map(|row| Table {
            label: row.get(0),
            readable: row.get(1),
            countable: row.get(2),
            scoped: row.get(3),
            required: row
                .get::<_, Vec<String>>(4)
                .into_iter()
                .zip(row.get::<_, Vec<String>>(5))
                .collect(),
        })
        .collect()
}

impl Table {
    /// Puts a row of somebody into it: anything that the columns take.
    async fn fill(&self, admin: &Client, tenant: Option<TenantId>) {
        let tenant = tenant.map_or_else(|| "NULL".to_owned(), |tenant| format!("'{tenant}'"));
        let names = self.required.iter().map(|(name, _)| format!(", {name}"));
        let values = self
            .required
            .iter()
            .map(|(_, kind)| format!(", {}", anything(kind)));
        let statement = format!(
            "INSERT INTO {} (tenant_id{}) VALUES ({tenant}{})",
            self.label,
            names.collect::<String>(),
            values.collect::<String>()
        );
        admin
            .batch_execute(&statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }

    /// Whose rows there are, with nothing said about whose are wanted.
    fn everything(&self) -> Query<(), (Option<TenantId>,)> {
        Query::declared(self.select("tenant_id"))
    }

    /// The same where the service may not read whose they are.
    fn number(&self) -> Query<(), (i64,)> {
        Query::declared(self.select("count(*)"))
    }

    fn select(&self, what: &str) -> &'static str {
        Box::leak(format!("SELECT {what} FROM {}", self.label).into_boxed_str())
    }
}

/// A value of a type, another one each time.
fn anything(kind: &str) -> &'static str {
    match kind {
        "uuid" => "gen_random_uuid()",
        "text" => "md5(random()::text)",
        "bytea" => "decode(md5(random()::text), 'hex')",
        "smallint" => "(random() * 30000)::smallint",
        "integer" | "bigint" => "(random() * 2000000000)::integer",
        "boolean" => "false",
        "jsonb" | "json" => "'{}'",
        "timestamp with time zone" => "now()",
        _ if kind.ends_with("[]") => "'{}'",
        _ => panic!("this test does not know a value of type {kind} yet"),
    }
}

/// Both doors of the service show our row alone, and the platform's scope none of a tenant.
async fn only_ours_is_seen(database: &Database, table: &Table, ours: TenantId) {
    let platforms: &[Option<TenantId>] = if table.scoped { &[None] } else { &[] };
    if table.readable {
        let ours_alone = [(Some(ours),)];
        let platforms: Vec<_> = platforms.iter().map(|owner| (*owner,)).collect();
        all_doors(database, table, ours, table.everything(), &ours_alone, &platforms).await;
    } else {
        let platforms = i64::try_from(platforms.len()).unwrap();
        all_doors(database, table, ours, table.number(), &[(1,)], &[(platforms,)]).await;
    }
}

async fn all_doors<T: Row + PartialEq + Debug>(
    database: &Database,
    table: &Table,
    ours: TenantId,
    query: Query<(), T>,
    expected: &[T],
    platforms: &[T],
) {
    let label = &table.label;
    let tx = database.begin(ours);
    assert_eq!(
        tx.all(&query, ()).await.unwrap(),
        expected,
        "{label}, in a transaction"
    );
    tx.commit().await.unwrap();
    assert_eq!(
        database.read(ours, &query, ()).await.unwrap(),
        expected,
        "{label}, read"
    );
    let seen = database.read_platform(&query, ()).await.unwrap();
    assert_eq!(seen, platforms, "{label}, for the platform");
}

#[tokio::test]
async fn the_catalogue_of_all_services_together_is_as_it_has_to_be() {
    catalogue::assert_lint_is_silent(&schemas()).await;
}

#[tokio::test]
async fn with_every_predicate_stripped_a_service_sees_the_rows_of_one_tenant() {
    let database = TestDatabase::fresh(&schemas()).await;
    let admin = database.admin().await;
    // Rows without the rows that they belong to.
    admin
        .batch_execute("SET session_replication_role = replica")
        .await
        .unwrap();
    admin.batch_execute(DROP_CHECKS).await.unwrap();
    let (ours, theirs) = (callers::tenant(), callers::tenant());
    let (mut looked_at, mut closed) = (Vec::new(), Vec::new());
    for service in schemas().iter().map(Schema::service) {
        let logged_in = database.of(service);
        for table in tables(&admin, service).await {
            if !table.countable {
                closed.push(table.label);
                continue;
            }
            table.fill(&admin, Some(ours)).await;
            table.fill(&admin, Some(theirs)).await;
            if table.scoped {
                table.fill(&admin, None).await;
            }
            only_ours_is_seen(&logged_in, &table, ours).await;
            looked_at.push(table.label);
        }
    }
    println!(
        "looked at {}: {looked_at:?}; not readable: {closed:?}",
        looked_at.len()
    );
    let queue = |label: &String| label.ends_with(".outbox") || label.ends_with(".dead_letters");
    assert!(
        closed.iter().all(queue),
        "a service cannot read these: {closed:?}"
    );
    for known in [
        "broadcast.recipients",
        "broadcast.deliveries",
        "notification.messages",
    ] {
        assert!(looked_at.iter().any(|label| label == known), "{known} is missing");
    }
}

/// The test above can fail: without the guard the other tenant's row is there to be seen.
#[tokio::test]
async fn without_its_guard_a_table_shows_everybodys_rows() {
    let database = TestDatabase::fresh(&schemas()).await;
    let admin = database.admin().await;
    admin
        .batch_execute("SET session_replication_role = replica; DROP POLICY guard ON broadcast.recipients")
        .await
        .unwrap();
    admin.batch_execute(DROP_CHECKS).await.unwrap();
    let (ours, theirs) = (callers::tenant(), callers::tenant());
    let all = tables(&admin, BROADCAST).await;
    let table = all
        .iter()
        .find(|table| table.label == "broadcast.recipients")
        .unwrap();
    table.fill(&admin, Some(ours)).await;
    table.fill(&admin, Some(theirs)).await;
    let broadcast = database.of(BROADCAST);
    let seen = broadcast.read(ours, &table.everything(), ()).await.unwrap();
    assert_eq!(seen.len(), 2);
}
