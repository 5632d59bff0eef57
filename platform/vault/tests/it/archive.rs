//! A small service to test with: an archive of letters that nobody else may read, and of seals of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use plaza_crypto::KeyRing;
use plaza_database::{Database, Databases, Login, Migration, Schema, TenantTx};
use plaza_kernel::{Clock, Scope, ServiceName, TenantId};
use plaza_testkit::{TestDatabase, callers};
use plaza_vault::{Vault, VaultError};
use secrecy::{ExposeSecret, SecretString};

pub(crate) const ARCHIVE: ServiceName = ServiceName::new("archive");

const OWN: Migration = Migration {
    name: "V20261122090000__letters",
    sql: "CREATE TABLE archive.letters (
              tenant_id uuid NOT NULL,
              id uuid NOT NULL,
              body text,
              PRIMARY KEY (tenant_id, id));
          CREATE TABLE archive.seals (name text PRIMARY KEY, sealed text NOT NULL);
          SELECT plaza.tenant_table('archive.letters');
          SELECT plaza.global_table('archive.seals');
          SELECT plaza.system_may('archive.letters', 'SELECT');
          SELECT plaza.system_may('archive.seals', 'SELECT');
          GRANT UPDATE (body) ON archive.letters TO plaza_archive_system;
          GRANT UPDATE (sealed) ON archive.seals TO plaza_archive_system;",
};

pub(crate) fn schema() -> Schema {
    Schema::new(ARCHIVE, &[OWN]).with(plaza_vault::migrations())
}

pub(crate) mod letters {
    use plaza_database::statements;
    use plaza_kernel::TenantId;
    use uuid::Uuid;

    /// As the registry of statements knows this crate.
    pub(crate) const CRATE: &str = "it";

    plaza_vault::sealed! {
        /// What letters say.
        pub(crate) static BODIES: tenants "archive.letters" (id: uuid) body;
    }
    plaza_vault::sealed! {
        /// The archive's own.
        pub(crate) static SEALS: platform "archive.seals" (name: text) sealed;
    }

    statements! {
        pub(crate) static WRITE: (TenantId, Uuid, String) => () =
            "INSERT INTO archive.letters (tenant_id, id, body) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, id) DO UPDATE SET body = excluded.body";
        pub(crate) static READ: (Uuid,) => (String,) = "SELECT body FROM archive.letters WHERE id = $1";
        pub(crate) static WRITE_SEAL: (String, String) => () =
            "INSERT INTO archive.seals (name, sealed) VALUES ($1, $2)";
        pub(crate) static READ_SEAL: (String,) => (String,) = "SELECT sealed FROM archive.seals WHERE name = $1";
    }
}

/// An archive on a database of its own.
pub(crate) struct Archive {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Clock,
}

/// A ring of these keys, each named by a letter: `ring("ba")` seals with b and opens with both.
pub(crate) fn ring(keys: &str) -> KeyRing {
    // 43 characters of base64 are 32 bytes.
    let entry = |key: char| format!("{key}:{key}{}=", "A".repeat(42));
    let entries: Vec<String> = keys.chars().map(entry).collect();
    KeyRing::parse(&SecretString::from(entries.join(","))).unwrap()
}

impl Archive {
    pub(crate) async fn open() -> Self {
        Self {
            database: TestDatabase::fresh(&[schema()]).await,
            clock: Clock::system(),
        }
    }

    /// Connections of their own, as another process has them.
    pub(crate) fn connections(&self) -> Database {
        Databases::new(self.database.settings())
            .unwrap()
            .of(ARCHIVE, Login::default())
            .unwrap()
    }

    /// The vault of a process of its own, with these keys.
    pub(crate) fn vault(&self, keys: &str) -> Vault {
        Vault::new(self.connections(), ring(keys), self.clock.clone())
    }

    /// Seals a letter and commits it.
    pub(crate) async fn write(&self, vault: &Vault, tenant: TenantId, id: uuid::Uuid, text: &str) {
        self.written(vault, tenant, id, text)
            .await
            .commit()
            .await
            .unwrap();
    }

    /// Seals a letter; until it is committed, nobody else changes it.
    pub(crate) async fn written(
        &self,
        vault: &Vault,
        tenant: TenantId,
        id: uuid::Uuid,
        text: &str,
    ) -> TenantTx {
        let tx = self.database.of(ARCHIVE).begin(tenant);
        let row = id.to_string();
        let sealed = vault
            .seal(&tx, &letters::BODIES, &row, text.as_bytes())
            .await
            .unwrap();
        tx.execute(&letters::WRITE, (tenant, id, sealed)).await.unwrap();
        tx
    }

    /// The letter as it lies there.
    pub(crate) async fn sealed(&self, tenant: TenantId, id: uuid::Uuid) -> String {
        let tx = self.database.of(ARCHIVE).begin(tenant);
        tx.one(&letters::READ, (id,)).await.unwrap().0
    }

    /// The letter, opened.
    pub(crate) async fn read(
        &self,
        vault: &Vault,
        tenant: TenantId,
        id: uuid::Uuid,
    ) -> Result<String, VaultError> {
        let sealed = self.sealed(tenant, id).await;
        opened(vault, tenant, id, &sealed).await
    }

    /// A tenant with one letter.
    pub(crate) async fn tenant_with(&self, vault: &Vault, text: &str) -> (TenantId, uuid::Uuid) {
        let (tenant, id) = (callers::tenant(), self.clock.uuid());
        self.write(vault, tenant, id, text).await;
        (tenant, id)
    }

    /// Letters of one tenant as a program from before the vault wrote them: sealed by the ring itself.
    pub(crate) async fn write_by_the_ring(&self, keys: &str, count: usize) -> Vec<(TenantId, uuid::Uuid)> {
        let (ring, tenant) = (ring(keys), callers::tenant());
        let tx = self.database.of(ARCHIVE).begin(tenant);
        let mut written = Vec::new();
        for _ in 0..count {
            let id = self.clock.uuid();
            let place = plaza_crypto::SealContext {
                tenant: &tenant.to_string(),
                table: "archive.letters",
                column: "body",
                row: &id.to_string(),
            };
            let sealed = ring.seal(&place, b"old");
            tx.execute(&letters::WRITE, (tenant, id, sealed)).await.unwrap();
            written.push((tenant, id));
        }
        tx.commit().await.unwrap();
        written
    }

    /// As a superuser.
    pub(crate) async fn run(&self, sql: &str) {
        self.database.admin().await.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database
            .admin()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }
}

pub(crate) async fn opened(
    vault: &Vault,
    scope: impl Into<Scope>,
    id: uuid::Uuid,
    sealed: &str,
) -> Result<String, VaultError> {
    let plain = vault
        .open(scope, &letters::BODIES, &id.to_string(), sealed)
        .await?;
    Ok(String::from_utf8(plain.expose_secret().clone()).unwrap())
}
