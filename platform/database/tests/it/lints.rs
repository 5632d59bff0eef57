//! The catalogue lint is silent about a good schema, and finds every kind of bad one.

use plaza_database::lint::findings;

use crate::ledger::{self, Ledger};

#[tokio::test]
async fn a_good_schema_has_no_findings() {
    let ledger = Ledger::open().await;
    assert_eq!(
        findings(&ledger.test.settings().url, &[ledger::schema()])
            .await
            .unwrap(),
        []
    );
}

/// What the lint says about a ledger to which this was done, as `RULE object`.
async fn found(sql: &str) -> Vec<String> {
    let ledger = Ledger::open().await;
    let as_owner = format!("SET ROLE plaza_owner; {sql}; RESET ROLE");
    ledger.test.admin().await.batch_execute(&as_owner).await.unwrap();
    let findings = findings(&ledger.test.url(), &[ledger::schema()]).await.unwrap();
    findings
        .iter()
        .map(|finding| format!("{} {}", finding.rule, finding.object))
        .collect()
}

const TENANT_TABLE: &str = "tenant_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (tenant_id, id)";

#[tokio::test]
async fn a_table_without_row_security_is_found() {
    let sql = format!("CREATE TABLE ledger.bad ({TENANT_TABLE})");
    assert_eq!(
        found(&sql).await,
        ["NO_GUARD ledger.bad", "ROW_SECURITY_OFF ledger.bad"]
    );
    assert_eq!(
        found("ALTER TABLE ledger.accounts NO FORCE ROW LEVEL SECURITY").await,
        ["ROW_SECURITY_OFF ledger.accounts"]
    );
}

#[tokio::test]
async fn a_missing_weak_or_foreign_guard_is_found() {
    assert_eq!(
        found("DROP POLICY guard ON ledger.accounts").await,
        ["NO_GUARD ledger.accounts"]
    );
    let policy = |kind: &str, role: &str, rule: &str| {
        format!(
            "DROP POLICY guard ON ledger.accounts;
             CREATE POLICY guard ON ledger.accounts AS {kind} TO {role} USING ({rule}) WITH CHECK ({rule})"
        )
    };
    let rule = "tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)";
    assert_eq!(
        found(&policy("PERMISSIVE", "plaza_ledger", rule)).await,
        ["NO_GUARD ledger.accounts"]
    );
    assert_eq!(
        found(&policy("RESTRICTIVE", "plaza_ledger", "true")).await,
        ["NO_GUARD ledger.accounts"]
    );
    assert_eq!(
        found(&policy("RESTRICTIVE", "plaza_ledger_system", rule)).await,
        ["NO_GUARD ledger.accounts"]
    );
    assert_eq!(found(&policy("RESTRICTIVE", "plaza_ledger", rule)).await, [""; 0]);
}

#[tokio::test]
async fn a_tenant_that_may_be_null_is_found() {
    let sql = "CREATE TABLE ledger.bad (tenant_id uuid, id int, UNIQUE (tenant_id, id));
               SELECT plaza.scoped_table('ledger.bad', 'SELECT')";
    assert_eq!(found(sql).await, ["TENANT_NULLABLE ledger.bad"]);
}

#[tokio::test]
async fn a_view_with_its_owners_rights_is_found() {
    let sql = "CREATE VIEW ledger.peek AS SELECT * FROM ledger.accounts";
    assert_eq!(found(sql).await, ["VIEW_OF_ITS_OWNER ledger.peek"]);
    let sql = "CREATE VIEW ledger.peek WITH (security_invoker = true) AS SELECT * FROM ledger.accounts";
    assert_eq!(found(sql).await, [""; 0]);
}

#[tokio::test]
async fn a_materialised_view_over_tenants_is_found() {
    let sql = "CREATE MATERIALIZED VIEW ledger.hoard AS SELECT tenant_id FROM ledger.accounts";
    assert_eq!(found(sql).await, ["MATERIALISED_TENANTS ledger.hoard"]);
    let sql = "CREATE MATERIALIZED VIEW ledger.hoard AS SELECT code FROM ledger.rates";
    assert_eq!(found(sql).await, [""; 0]);
}

#[tokio::test]
async fn keys_that_do_not_lead_with_the_tenant_are_found() {
    let sql = format!(
        "CREATE TABLE ledger.bad ({TENANT_TABLE}, CONSTRAINT bad_id_key UNIQUE (id));
         SELECT plaza.tenant_table('ledger.bad');
         CREATE TABLE ledger.child ({TENANT_TABLE},
             CONSTRAINT child_bad_fkey FOREIGN KEY (id) REFERENCES ledger.bad (id));
         SELECT plaza.tenant_table('ledger.child')"
    );
    assert_eq!(
        found(&sql).await,
        [
            "FOREIGN_KEY_WITHOUT_TENANT ledger.child child_bad_fkey",
            "KEY_WITHOUT_TENANT ledger.bad bad_id_key"
        ]
    );
    let excused = format!(
        "CREATE TABLE ledger.bad ({TENANT_TABLE}, CONSTRAINT bad_id_key UNIQUE (id));
         SELECT plaza.tenant_table('ledger.bad');
         COMMENT ON INDEX ledger.bad_id_key IS 'across tenants: the number is printed on paper'"
    );
    assert_eq!(found(&excused).await, [""; 0]);
}

#[tokio::test]
async fn a_foreign_key_that_leaves_the_schema_is_found() {
    let sql = "CREATE TABLE ledger.bad (name text REFERENCES plaza.state)";
    assert_eq!(
        found(sql).await,
        ["FOREIGN_KEY_ACROSS_SCHEMAS ledger.bad bad_name_fkey"]
    );
}

#[tokio::test]
async fn grants_beyond_the_services_own_are_found() {
    assert_eq!(
        found("GRANT SELECT ON ledger.rates TO PUBLIC").await,
        ["GRANTED_TO_PUBLIC ledger.rates"]
    );
    assert_eq!(
        found("GRANT TRUNCATE, REFERENCES ON ledger.accounts TO plaza_ledger").await,
        [
            "TOO_MUCH_GRANTED ledger.accounts",
            "TOO_MUCH_GRANTED ledger.accounts"
        ]
    );
    assert_eq!(
        found("GRANT CREATE ON SCHEMA ledger TO plaza_ledger_system").await,
        ["POWERFUL_ROLE role plaza_ledger_system"]
    );
}

#[tokio::test]
async fn a_table_of_somebody_else_is_found() {
    let sql = "RESET ROLE; CREATE TABLE ledger.loot ()";
    assert_eq!(found(sql).await, ["FOREIGN_OWNER ledger.loot"]);
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_found() {
    let ledger = Ledger::open().await;
    let nowhere = plaza_database::Schema::new(plaza_kernel::ServiceName::new("nowhere"), &[]);
    let findings = findings(&ledger.test.url(), &[nowhere]).await.unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].to_string(),
        "SCHEMA_MISSING: schema nowhere: does not exist"
    );
}
