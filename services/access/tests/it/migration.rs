//! What a migration makes of tenants that are there already, and what the program makes of what they have stored.

use plaza_access::Template;
use plaza_contracts::permissions::CATALOGUE;
use plaza_kernel::SystemRole;
use plaza_testkit::callers;

use crate::stage::Stage;

const MENUS: &str = include_str!("../../migrations/V20261122110000__versions_and_menus.sql");

/// As the schema and the rows of its tenants were before.
const BEFORE: &str = "
    DROP FUNCTION access.add_new_menus CASCADE;
    ALTER TABLE access.roles DROP COLUMN version, DROP COLUMN updated_at;
    DELETE FROM access.menus WHERE menu IN ('audit', 'conversations', 'messages');
    DELETE FROM access.role_permissions WHERE menu IN ('audit', 'conversations', 'messages');";

#[tokio::test]
async fn a_tenant_that_is_there_gets_what_a_new_one_has() {
    let stage = Stage::open().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    let administrator = stage.administrator(tenant).await;
    let (before, _) = stage.grants(tenant, administrator).await;
    let admin = stage.database.admin().await;
    admin.batch_execute(BEFORE).await.unwrap();
    // As migrations run: as the owner, to whom the policies apply as well.
    let migration = format!("SET ROLE plaza_owner; BEGIN; {MENUS} COMMIT; RESET ROLE;");
    admin.batch_execute(&migration).await.unwrap();

    let rows = "SELECT count(*) FROM access.menus WHERE menu IN ('audit', 'conversations', 'messages')";
    assert_eq!(admin.query_one(rows, &[]).await.unwrap().get::<_, i64>(0), 6);
    // The administrator's new permissions are in no row: the program knows what the template grants.
    let (after, held) = stage.grants(tenant, administrator).await;
    assert!(after > before);
    assert_eq!(held, Template::Administrator.permissions());
    assert!(CATALOGUE.iter().all(|entry| held.contains(entry.bit)));
    let forced = "SELECT bool_and(relrowsecurity AND relforcerowsecurity) FROM pg_class
                   WHERE oid IN ('access.menus'::regclass, 'access.versions'::regclass)";
    assert!(admin.query_one(forced, &[]).await.unwrap().get::<_, bool>(0));
    // At the places that a new tenant's have.
    let places =
        "SELECT string_agg(menu || position, ' ' ORDER BY position) FROM access.menus WHERE tenant_id = $1";
    let migrated: String = admin.query_one(places, &[&other.as_uuid()]).await.unwrap().get(0);
    let fresh = stage.tenant().await;
    let new: String = admin.query_one(places, &[&fresh.as_uuid()]).await.unwrap().get(0);
    assert_eq!(migrated, new);
}

#[tokio::test]
async fn a_tenant_that_an_older_program_provisions_meanwhile_gets_it_too() {
    let stage = Stage::open().await;
    let (tenant, fresh) = (callers::tenant(), stage.tenant().await);
    // What a program writes that knows eight product areas, in its order.
    let older = "
        INSERT INTO access.versions (tenant_id, version) VALUES ($1, 1)
            ON CONFLICT (tenant_id) DO UPDATE SET version = access.versions.version + 1";
    let menus = "
        INSERT INTO access.menus (tenant_id, menu, position)
        SELECT $1, menu, position FROM access.menus
         WHERE tenant_id = $2 AND menu NOT IN ('audit', 'conversations', 'messages')
            ON CONFLICT DO NOTHING";
    let admin = stage.database.admin().await;
    admin.execute(older, &[&tenant.as_uuid()]).await.unwrap();
    let written = admin.execute(menus, &[&tenant.as_uuid(), &fresh.as_uuid()]).await;
    assert_eq!(written.unwrap(), 8);
    let places =
        "SELECT string_agg(menu || position, ' ' ORDER BY position) FROM access.menus WHERE tenant_id = $1";
    let got: String = admin
        .query_one(places, &[&tenant.as_uuid()])
        .await
        .unwrap()
        .get(0);
    let new: String = admin.query_one(places, &[&fresh.as_uuid()]).await.unwrap().get(0);
    assert_eq!(got, new);

    // Once: what is turned off later stays off.
    let off = "DELETE FROM access.menus WHERE tenant_id = $1 AND menu = 'audit'";
    admin.execute(off, &[&tenant.as_uuid()]).await.unwrap();
    admin.execute(older, &[&tenant.as_uuid()]).await.unwrap();
    let left = "SELECT count(*) FROM access.menus WHERE tenant_id = $1";
    let left: i64 = admin.query_one(left, &[&tenant.as_uuid()]).await.unwrap().get(0);
    assert_eq!(left, 10);
}

#[tokio::test]
async fn what_is_stored_with_a_default_role_counts_for_nothing() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let admin = stage.database.admin().await;
    // Somebody wrote more into the rows, and took some away.
    admin
        .batch_execute(
            "DELETE FROM access.role_permissions p USING access.roles r
              WHERE r.tenant_id = p.tenant_id AND r.id = p.role_id AND r.template = 'viewer';
             INSERT INTO access.role_permissions (tenant_id, role_id, menu, action)
             SELECT tenant_id, id, 'senders', 'manage' FROM access.roles WHERE template = 'viewer'",
        )
        .await
        .unwrap();
    assert_eq!(
        stage.grants(tenant, member).await.1,
        Template::Viewer.permissions()
    );
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let list = owner.get("/api/v1/admin/roles").await.value();
    let viewer = &list["items"][2];
    assert_eq!(viewer["template"], "viewer");
    assert_eq!(
        viewer["permissions"],
        serde_json::json!(["campaigns.view", "templates.view"])
    );
}
