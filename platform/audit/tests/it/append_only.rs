//! Nobody changes or removes an entry: not the service, not its system login.

use plaza_testkit::callers;
use tokio_postgres::error::SqlState;

use crate::shop::Shop;

#[tokio::test]
async fn no_login_of_a_service_changes_or_removes_an_entry_or_a_link() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    shop.priced_and_chained(tenant, 2).await;
    for role in ["plaza_shop", "plaza_shop_system"] {
        let admin = shop.database.admin().await;
        let begin = format!("SET ROLE {role}; SET search_path = shop; SET app.tenant_id = '{tenant}'");
        admin.batch_execute(&begin).await.unwrap();
        for sql in [
            "UPDATE audit SET action = 'things.nothing'",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "UPDATE audit_chain SET hash = hash",
            "DELETE FROM audit_chain",
            "TRUNCATE audit_chain",
            "ALTER TABLE audit DISABLE ROW LEVEL SECURITY",
        ] {
            let refused = admin.batch_execute(sql).await.unwrap_err();
            assert_eq!(
                refused.code(),
                Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                "{role}: {sql}"
            );
        }
    }
    assert!(shop.verify(tenant).await.is_whole());
}

#[tokio::test]
async fn a_service_cannot_link_and_its_system_login_cannot_write_entries() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    for (role, sql) in [
        (
            "plaza_shop",
            "INSERT INTO audit_chain (tenant_id, seq, entry, hash, at) VALUES (NULL, 1, gen_random_uuid(), sha256(''), now())",
        ),
        ("plaza_shop", "SELECT * FROM audit_due"),
        ("plaza_shop", "DELETE FROM audit_due"),
        (
            "plaza_shop_system",
            "INSERT INTO audit (id, at, actor_kind, action, target_kind, outcome) VALUES (gen_random_uuid(), now(), 'nobody', 'a', 'b', 'done')",
        ),
    ] {
        let admin = shop.database.admin().await;
        let begin = format!("SET ROLE {role}; SET search_path = shop; SET app.tenant_id = '{tenant}'");
        admin.batch_execute(&begin).await.unwrap();
        let refused = admin.batch_execute(sql).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{role}: {sql}"
        );
    }
}

#[tokio::test]
async fn an_entry_in_another_tenants_name_is_refused() {
    let shop = Shop::open().await;
    let (ours, theirs) = (callers::tenant(), callers::tenant());
    let admin = shop.database.admin().await;
    let begin = format!("SET ROLE plaza_shop; SET search_path = shop; SET app.tenant_id = '{ours}'");
    admin.batch_execute(&begin).await.unwrap();
    for tenant in [format!("'{theirs}'"), "NULL".to_owned()] {
        let sql = format!(
            "INSERT INTO audit (tenant_id, id, at, actor_kind, action, target_kind, outcome)
             VALUES ({tenant}, gen_random_uuid(), now(), 'nobody', 'a', 'b', 'done')"
        );
        let refused = admin.batch_execute(&sql).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{tenant}"
        );
    }
}
