//! Whether the database keeps tenants apart: what its catalogue says, and what it does. Only reads.
//!
//! The catalogue lint looks at policies, keys, views, grants and roles. The probe then asks, as each service, for rows in
//! the name of a tenant that does not exist and in the name of nobody: whatever is seen is somebody else's. With working
//! policies that is a look into an index, however many rows there are.

use plaza_database::{Database, DatabaseError, lint, row, statements};
use plaza_kernel::{Clock, ServiceName, TenantId};

use super::database_found::Found;
use super::report::Report;
use crate::assembly;

/// How many findings are printed.
const SHOWN: usize = 20;

row! {
    /// A table of tenants' rows, as its service sees it.
    #[derive(Debug)]
    struct Seen {
        label: String,
        /// Whether a row of a tenant shows.
        leaks: bool,
        /// Whether it has rows at all, as far as the statistics know.
        filled: bool,
    }
}

statements! {
    /// Every table of this schema with a tenant in it that the login may read: whether any row of a tenant shows. The inner
    /// queries run with the rights and in the scope of whoever asks.
    static PROBE: () => Seen =
        "SELECT label, filled,
                query_to_xml(format('SELECT EXISTS (SELECT FROM %s WHERE tenant_id IS NOT NULL) AS leaks', label),
                             true, true, '')::text LIKE '%<leaks>true</leaks>%' AS leaks
           FROM (SELECT format('%I.%I', n.nspname, c.relname) AS label, c.reltuples > 0 AS filled
                   FROM pg_catalog.pg_class c
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
                  WHERE c.relkind IN ('r', 'p') AND n.nspname = current_schema()
                    AND has_column_privilege(c.oid, a.attnum, 'SELECT')) readable
          ORDER BY label";
}

/// Looks.
pub(super) async fn look(found: &Found, report: &mut Report) {
    report.area("isolation of tenants");
    catalogue(found, report).await;
    // Whoever it is: nobody has this id.
    let stranger = TenantId::generate(&Clock::system());
    for (service, database) in found.each() {
        match database {
            Ok(database) => probe(service, &database, stranger, found, report).await,
            Err(error) => cannot(service, &error, found, report),
        }
    }
}

async fn catalogue(found: &Found, report: &mut Report) {
    match lint::findings(&found.settings.url, &assembly::schemas()).await {
        Ok(findings) if findings.is_empty() => {
            report.ok("catalogue", "policies, keys, views, grants and roles")
        }
        Ok(findings) => {
            for finding in findings.iter().take(SHOWN) {
                report.fail(
                    finding.rule.clone(),
                    format!("{}: {}", finding.object, finding.problem),
                    "somebody changed the schema past the migrations: undo it, then look again",
                );
            }
            if findings.len() > SHOWN {
                report.note("catalogue", format!("and {} more", findings.len() - SHOWN));
            }
        }
        Err(error) => report.fail(
            "catalogue",
            found.secrets.told(&error),
            "`database.url` has to be a login of this database",
        ),
    }
}

async fn probe(
    service: ServiceName,
    database: &Database,
    stranger: TenantId,
    found: &Found,
    report: &mut Report,
) {
    let scopes = [
        (
            "a tenant that does not exist",
            database.read(stranger, &PROBE, ()).await,
        ),
        ("nobody", database.read_platform(&PROBE, ()).await),
    ];
    let mut looked_at = (0, 0);
    let mut leaks = false;
    for (asking, seen) in scopes {
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return cannot(service, &error, found, report),
        };
        looked_at = (seen.len(), seen.iter().filter(|table| table.filled).count());
        for table in seen.into_iter().filter(|table| table.leaks) {
            leaks = true;
            report.fail(
                table.label,
                format!("plaza_{service} sees rows of tenants in the name of {asking}"),
                "stop the service: row-level security does not hold on this table",
            );
        }
    }
    if !leaks {
        let (tables, filled) = looked_at;
        report.ok(
            format!("rows of {service}"),
            format!(
                "none shows to a foreign tenant, nor to nobody ({tables} tables, {filled} known to have rows)"
            ),
        );
    }
}

fn cannot(service: ServiceName, error: &DatabaseError, found: &Found, report: &mut Report) {
    report.fail(
        format!("rows of {service}"),
        format!("cannot be looked at: {}", found.secrets.told(error)),
        "see the logins of this service: plaza doctor",
    );
}

#[cfg(test)]
mod tests {
    use plaza_testkit::TestDatabase;

    use super::super::report::Level;
    use super::super::secrets::Secrets;
    use super::*;
    use crate::config::{Config, Environment, Flags};

    async fn told(database: &TestDatabase) -> Report {
        let config = Config::load(&Flags::default(), &Environment::of(std::iter::empty())).unwrap();
        let found = Found::of(database.settings(), &config, Secrets::of(&config))
            .ok()
            .unwrap();
        let mut report = Report::default();
        look(&found, &mut report).await;
        report
    }

    fn wrong(report: &Report) -> Vec<String> {
        let failed = report.lines().filter(|line| line.level == Level::Fail);
        failed.map(|line| format!("{} {}", line.what, line.how)).collect()
    }

    /// A database with a row of some tenant in it, seen past all policies.
    async fn lived_in() -> TestDatabase {
        let database = TestDatabase::fresh(&assembly::schemas()).await;
        database
            .admin()
            .await
            .batch_execute(
                "INSERT INTO tenancy.tenants
                 VALUES ('018f0000-0000-7000-8000-000000000001', 'acme', 'Acme', 'a@b.example', 'active', now(), now())",
            )
            .await
            .unwrap();
        database
    }

    #[tokio::test]
    async fn tenants_that_are_kept_apart_are_well() {
        let report = told(&lived_in().await).await;
        assert_eq!(wrong(&report), [""; 0], "{report}");
        assert_eq!(report.lines().count(), 1 + 5);
        assert!(report.to_string().contains("rows of broadcast"), "{report}");
    }

    #[tokio::test]
    async fn a_policy_that_lets_everybody_in_is_caught_by_its_rows_even_where_the_catalogue_looks_right() {
        let database = lived_in().await;
        // It names the setting, as the lint wants it, and lets through what it likes.
        let hole = "DROP POLICY guard ON tenancy.tenants;
                    CREATE POLICY guard ON tenancy.tenants AS RESTRICTIVE TO plaza_tenancy
                     USING (tenant_id::text <> current_setting('app.tenant_id', true))";
        database.admin().await.batch_execute(hole).await.unwrap();
        let report = told(&database).await;
        assert_eq!(
            wrong(&report),
            [
                "tenancy.tenants plaza_tenancy sees rows of tenants in the name of a tenant that does not exist",
                "tenancy.tenants plaza_tenancy sees rows of tenants in the name of nobody",
            ],
            "{report}"
        );
    }

    #[tokio::test]
    async fn a_table_whose_policies_are_off_is_caught_by_both() {
        let database = lived_in().await;
        let off = "ALTER TABLE tenancy.tenants DISABLE ROW LEVEL SECURITY";
        database.admin().await.batch_execute(off).await.unwrap();
        let report = told(&database).await;
        let wrong = wrong(&report);
        assert!(
            wrong.iter().any(|line| line.starts_with("ROW_SECURITY_OFF")),
            "{report}"
        );
        assert!(
            wrong
                .iter()
                .any(|line| line.starts_with("tenancy.tenants plaza_tenancy sees")),
            "{report}"
        );
    }
}
