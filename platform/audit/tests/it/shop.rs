//! A small service to test with: a shop that gives its things prices, and is audited.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use plaza_audit::{Action, AuditId, AuditRow, Chainer, ChainerSettings, Entry, Verified, record, verify};
use plaza_database::{Database, Databases, Login, Schema};
use plaza_kernel::{Clock, PageQuery, Scope, ServiceName, TenantId};
use plaza_testkit::TestDatabase;
use serde_json::json;

pub(crate) const SHOP: ServiceName = ServiceName::new("shop");

/// A thing got another price.
pub(crate) static PRICE: Action = Action::new("things.price", "thing", &["price"]);

pub(crate) fn schema() -> Schema {
    Schema::new(SHOP, &[])
        .with(plaza_messaging::migrations())
        .with(plaza_audit::migrations())
}

/// A shop on a database of its own.
pub(crate) struct Shop {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Clock,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self {
            database: TestDatabase::fresh(&[schema()]).await,
            clock: Clock::system(),
        }
    }

    pub(crate) fn own(&self) -> Database {
        self.database.of(SHOP)
    }

    /// Connections of their own, as another process has them.
    pub(crate) fn connections(&self) -> Database {
        Databases::new(self.database.settings())
            .unwrap()
            .of(SHOP, Login::default())
            .unwrap()
    }

    pub(crate) fn chainer(&self) -> Chainer {
        Chainer::new(self.connections(), &self.clock, ChainerSettings::default())
    }

    /// Gives a thing of the tenant a price.
    pub(crate) async fn price(&self, tenant: TenantId, price: i64) -> AuditId {
        let tx = self.own().begin(tenant);
        let id = record(&tx, &self.clock, entry(price)).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Gives things prices, and links the entries.
    pub(crate) async fn priced_and_chained(&self, tenant: TenantId, count: i64) -> Vec<AuditId> {
        let mut ids = Vec::new();
        for price in 0..count {
            ids.push(self.price(tenant, price).await);
        }
        self.chainer().chain_due().await.unwrap();
        ids
    }

    pub(crate) async fn verify(&self, scope: impl Into<Scope>) -> Verified {
        verify(&self.own(), &self.clock, scope.into()).await.unwrap()
    }

    pub(crate) async fn all(&self, scope: impl Into<Scope>) -> Vec<AuditRow> {
        let filter = plaza_audit::AuditFilter::default();
        let page = plaza_audit::list(&self.own(), scope.into(), &filter, PageQuery::default()).await;
        page.unwrap().items
    }

    /// As a superuser: what nobody else may.
    pub(crate) async fn tamper(&self, sql: &str) {
        let admin = self.database.admin().await;
        let touched = admin.execute(sql, &[]).await.unwrap();
        assert!(touched > 0, "nothing was touched by {sql}");
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

pub(crate) fn entry(price: i64) -> Entry {
    Entry::of(&PRICE, "thing-1")
        .before(json!({"price": price - 1}))
        .after(json!({"price": price}))
}
