//! What a migration makes of tenants that are there already.

use plaza_testkit::TestDatabase;

const LIFE: &str = include_str!("../../migrations/V20261122110100__life_and_configuration.sql");

/// As the schema was before.
const BEFORE: &str = "
    DROP TABLE tenancy.configuration, tenancy.secrets;
    ALTER TABLE tenancy.tenants
        DROP COLUMN version, DROP COLUMN activated_at, DROP COLUMN suspended_at, DROP COLUMN delete_after,
        DROP COLUMN deleted_at;
    INSERT INTO tenancy.tenants (tenant_id, slug, name, admin_email, status, created_at, updated_at)
    SELECT gen_random_uuid(), status, status, 'o@t.example', status, now(), '2026-11-01 00:00:00Z'
      FROM unnest('{provisioning,active,suspended,deleting}'::text[]) AS s (status);";

#[tokio::test]
async fn a_tenant_that_is_there_keeps_its_status_and_what_led_to_it() {
    let database = TestDatabase::fresh(&[plaza_tenancy::schema()]).await;
    let admin = database.admin().await;
    admin.batch_execute(BEFORE).await.unwrap();
    // As migrations run: as the owner, to whom the policies apply as well.
    let migration = format!("SET ROLE plaza_owner; BEGIN; {LIFE} COMMIT; RESET ROLE;");
    admin.batch_execute(&migration).await.unwrap();
    let rows = admin
        .query(
            "SELECT status, activated_at IS NOT NULL, suspended_at IS NOT NULL, delete_after::text, version
               FROM tenancy.tenants ORDER BY status",
            &[],
        )
        .await
        .unwrap();
    let found: Vec<(String, bool, bool, bool, i64)> = rows
        .iter()
        .map(|row| {
            (
                row.get(0),
                row.get(1),
                row.get(2),
                row.get::<_, Option<String>>(3).is_some(),
                row.get(4),
            )
        })
        .collect();
    let row =
        |status: &str, activated, suspended, deleting| (status.to_owned(), activated, suspended, deleting, 1);
    assert_eq!(
        found,
        [
            row("active", true, false, false),
            row("deleting", true, false, true),
            row("provisioning", false, false, false),
            row("suspended", true, true, false),
        ]
    );
    let forced =
        "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'tenancy.tenants'::regclass";
    assert!(admin.query_one(forced, &[]).await.unwrap().get::<_, bool>(0));
}
