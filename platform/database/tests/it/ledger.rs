//! The service that these tests play: accounts with entries, for many tenants.

use std::time::Duration;

use plaza_database::{
    Database, DatabaseError, DatabaseLimits, Databases, Login, Migration, Schema, TenantTx, row, statements,
};
use plaza_kernel::{Clock, ServiceName, TenantId};
use plaza_testkit::TestDatabase;
use uuid::Uuid;

/// How long something in the background may take.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) const LEDGER: ServiceName = ServiceName::new("ledger");

const TABLES: Migration = Migration {
    name: "V20261120093000__ledger",
    sql: "
        CREATE TABLE ledger.accounts (
            tenant_id uuid NOT NULL,
            id        uuid NOT NULL,
            name      text NOT NULL,
            PRIMARY KEY (tenant_id, id),
            CONSTRAINT accounts_name_key UNIQUE (tenant_id, name)
        );
        SELECT plaza.tenant_table('ledger.accounts');
        SELECT plaza.system_may('ledger.accounts', 'SELECT, UPDATE');

        CREATE TABLE ledger.entries (
            tenant_id  uuid NOT NULL,
            id         bigserial,
            account_id uuid NOT NULL,
            amount     bigint NOT NULL,
            PRIMARY KEY (tenant_id, id),
            CONSTRAINT entries_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES ledger.accounts
        );
        SELECT plaza.append_only_tenant_table('ledger.entries');

        CREATE TABLE ledger.rates (code text PRIMARY KEY, rate bigint NOT NULL);
        SELECT plaza.global_table('ledger.rates');

        CREATE TABLE ledger.outbox (id bigserial PRIMARY KEY, tenant_id uuid, fact text NOT NULL);
        SELECT plaza.scoped_table('ledger.outbox', 'INSERT, SELECT');
        SELECT plaza.system_may('ledger.outbox', 'SELECT, DELETE');
    ",
};

pub(crate) fn schema() -> Schema {
    Schema::new(LEDGER, &[TABLES])
}

row! {
    /// An account as it is stored.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Account {
        /// Whose it is.
        pub(crate) tenant_id: Uuid,
        /// Its name.
        pub(crate) name: String,
    }
}

statements! {
    /// No predicate at all: row-level security is on its own.
    pub(crate) static ALL_ACCOUNTS: () => Account = "SELECT tenant_id, name FROM ledger.accounts ORDER BY name";
    /// The same, one row, as the hot path has it.
    pub(crate) static ACCOUNT: (String,) => Account = "SELECT tenant_id, name FROM ledger.accounts WHERE name = $1";
    /// The same, of many.
    pub(crate) static SOME_ACCOUNTS: () => Account = "SELECT tenant_id, name FROM ledger.accounts LIMIT 100";
    /// How many.
    pub(crate) static COUNT_ACCOUNTS: () => (i64,) = "SELECT count(*) FROM ledger.accounts";
    /// Says itself whose row it is.
    pub(crate) static OPEN_ACCOUNT: (Uuid, Uuid, String) => () =
        "INSERT INTO ledger.accounts (tenant_id, id, name) VALUES ($1, $2, $3)";
    /// A change without a predicate.
    pub(crate) static RENAME_ALL: (String,) => () = "UPDATE ledger.accounts SET name = $1";
    /// A removal without a predicate.
    pub(crate) static DELETE_ALL: () => () = "DELETE FROM ledger.accounts";
    /// A child row.
    pub(crate) static BOOK: (Uuid, Uuid, i64) => () =
        "INSERT INTO ledger.entries (tenant_id, account_id, amount) VALUES ($1, $2, $3)";
    /// A row without a tenant.
    pub(crate) static SET_RATE: (String, i64) => () =
        "INSERT INTO ledger.rates (code, rate) VALUES ($1, $2) ON CONFLICT (code) DO UPDATE SET rate = $2";
    /// Rows without a tenant.
    pub(crate) static RATES: () => (String, i64) = "SELECT code, rate FROM ledger.rates";
    /// A fact of a tenant or of the platform.
    pub(crate) static STATE_FACT: (Option<Uuid>, String) => () =
        "INSERT INTO ledger.outbox (tenant_id, fact) VALUES ($1, $2)";
    /// Facts that are seen.
    pub(crate) static FACTS: () => (String,) = "SELECT fact FROM ledger.outbox ORDER BY fact";
    /// What the server was told about whose rows these are.
    pub(crate) static SETTING: () => (String,) = "SELECT coalesce(current_setting('app.tenant_id', true), 'none')";
    /// A number of rows.
    pub(crate) static SERIES: (i32,) => (i32,) = "SELECT generate_series(1, $1)";
    /// A number of rows of 4 KiB.
    pub(crate) static BULKY: (i32,) => (String,) = "SELECT repeat('x', 4096) FROM generate_series(1, $1)";
    /// Takes its time, in seconds.
    pub(crate) static NAP: (f64,) => (String,) = "SELECT pg_sleep($1)::text";
    /// The server process.
    pub(crate) static BACKEND: () => (i32,) = "SELECT pg_backend_pid()";
    /// A column of a changing type: the star is the point here.
    pub(crate) static STAR: () => (String, i64) = "SELECT * FROM ledger.rates";

    /// Across tenants, as the system login may.
    pub(crate) system static SYSTEM_COUNT: () => (i64,) = "SELECT count(*) FROM ledger.accounts";
    /// Granted to the service, and not to its system login.
    pub(crate) static SYSTEM_DELETE: () => () = "DELETE FROM ledger.accounts";
    /// What was told to whom.
    pub(crate) system static SYSTEM_FACTS: () => (String,) = "SELECT fact FROM ledger.outbox ORDER BY fact";
}

pub(crate) struct Ledger {
    pub(crate) test: TestDatabase,
    pub(crate) database: Database,
    pub(crate) clock: Clock,
}

impl Ledger {
    pub(crate) async fn open() -> Self {
        let test = TestDatabase::fresh(&[schema()]).await;
        let database = test.of(LEDGER);
        Self {
            test,
            database,
            clock: Clock::system(),
        }
    }

    /// Its database with other limits.
    pub(crate) fn limited(&self, limits: DatabaseLimits) -> Database {
        Databases::with_limits(self.test.settings(), limits)
            .unwrap()
            .of(LEDGER, Login::default())
            .unwrap()
    }

    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::generate(&self.clock)
    }

    /// A tenant with one account of this name.
    pub(crate) async fn tenant_with(&self, name: &str) -> TenantId {
        let tenant = self.tenant();
        let tx = self.database.begin(tenant);
        self.open_account(&tx, tenant, name).await.unwrap();
        tx.commit().await.unwrap();
        tenant
    }

    pub(crate) async fn open_account(
        &self,
        tx: &TenantTx,
        owner: TenantId,
        name: &str,
    ) -> Result<Uuid, DatabaseError> {
        let id = self.clock.uuid();
        tx.execute(&OPEN_ACCOUNT, (owner.as_uuid(), id, name.to_owned()))
            .await
            .map(|_| id)
    }

    pub(crate) async fn names(&self, tenant: TenantId) -> Vec<String> {
        let accounts = self.database.read(tenant, &ALL_ACCOUNTS, ()).await.unwrap();
        assert!(
            accounts
                .iter()
                .all(|account| account.tenant_id == tenant.as_uuid())
        );
        accounts.into_iter().map(|account| account.name).collect()
    }

    /// How many sessions of the ledger's logins are in a state like this.
    pub(crate) async fn sessions(&self, state: &str) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND usename LIKE 'plaza_ledger%' AND state LIKE $1";
        self.test
            .admin()
            .await
            .query_one(sql, &[&state])
            .await
            .unwrap()
            .get(0)
    }
}
