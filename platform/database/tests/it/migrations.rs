//! Migrations: from nothing, again, side by side, and the ways they refuse.

use std::time::{Duration, Instant};

use plaza_database::migrate::{MigrateError, Report, migrate, pending};
use plaza_database::{DatabaseSettings, Databases, Login, Migration, Schema};
use plaza_kernel::ServiceName;
use plaza_testkit::TestDatabase;

use crate::ledger;

const FIRST: Migration = Migration {
    name: "V20261120100000__first",
    sql: "CREATE TABLE mill.first (id int)",
};
const SECOND: Migration = Migration {
    name: "V20261120110000__second",
    sql: "CREATE TABLE second (id int)",
};
const MILL: ServiceName = ServiceName::new("mill");

fn mill(migrations: &[Migration]) -> Schema {
    Schema::new(MILL, migrations)
}

/// A database of which the template is made without `mill`.
async fn town() -> (TestDatabase, DatabaseSettings) {
    let test = TestDatabase::fresh(&[ledger::schema()]).await;
    let settings = test.settings();
    (test, settings)
}

async fn run(settings: &DatabaseSettings, schemas: &[Schema]) -> Result<Report, MigrateError> {
    migrate(&settings.url, &settings.role_key, schemas).await
}

#[tokio::test]
async fn migrations_are_applied_once_and_in_order() {
    let (test, settings) = town().await;
    assert_eq!(
        pending(&settings.url, &[mill(&[SECOND, FIRST])]).await.unwrap(),
        ["mill V20261120100000__first", "mill V20261120110000__second"]
    );
    let report = run(&settings, &[mill(&[FIRST])]).await.unwrap();
    assert_eq!(report.applied, ["mill V20261120100000__first"]);
    let report = run(&settings, &[ledger::schema(), mill(&[SECOND, FIRST])])
        .await
        .unwrap();
    assert_eq!(report.applied, ["mill V20261120110000__second"]);
    assert_eq!(
        run(&settings, &[ledger::schema(), mill(&[SECOND, FIRST])])
            .await
            .unwrap(),
        Report::default()
    );
    assert_eq!(
        pending(&settings.url, &[mill(&[SECOND, FIRST])]).await.unwrap(),
        [""; 0]
    );

    let sql = "SELECT string_agg(relname || ' ' || relowner::regrole, ', ' ORDER BY relname) FROM pg_class
                WHERE relnamespace = 'mill'::regnamespace AND relkind = 'r'";
    let owned: String = test.admin().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(
        owned,
        "first plaza_owner, schema_history plaza_owner, second plaza_owner"
    );
}

#[tokio::test]
async fn a_start_with_nothing_to_do_is_quick() {
    let (_test, settings) = town().await;
    let mut schemas = vec![ledger::schema()];
    for name in ["mill", "bakery", "dairy", "smithy"] {
        schemas.push(Schema::new(ServiceName::new(name), &[]));
    }
    run(&settings, &schemas).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        assert_eq!(run(&settings, &schemas).await.unwrap(), Report::default());
        times.push(start.elapsed());
    }
    let best = times.iter().min().unwrap();
    assert!(*best < Duration::from_millis(150), "{times:?}");
}

#[tokio::test]
async fn a_schema_that_was_removed_is_made_again() {
    let (test, settings) = town().await;
    run(&settings, &[mill(&[FIRST])]).await.unwrap();
    test.admin()
        .await
        .batch_execute("DROP SCHEMA mill CASCADE")
        .await
        .unwrap();
    assert_eq!(run(&settings, &[mill(&[FIRST])]).await.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn several_programs_may_migrate_at_the_same_time() {
    let (test, settings) = town().await;
    let (_other_test, other) = town().await;
    let schemas = [mill(&[FIRST, SECOND]), ledger::schema()];
    let reports = futures_util::future::join_all(
        [&settings, &settings, &settings, &other, &other].map(|settings| run(settings, &schemas)),
    )
    .await;
    let applied: usize = reports
        .into_iter()
        .map(|report| report.unwrap().applied.len())
        .sum();
    assert_eq!(applied, 4);
    drop(test);
}

/// A service of this process only, because roles belong to the whole cluster: names are letters.
fn own_service(kind: &str) -> ServiceName {
    let letters = std::process::id()
        .to_string()
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'a'))
        .collect::<String>();
    ServiceName::new(Box::leak(format!("{kind}{letters}").into_boxed_str()))
}

async fn remove(test: &TestDatabase, service: ServiceName) {
    test.admin()
        .await
        .batch_execute(&format!(
            "DROP SCHEMA {service} CASCADE; DROP ROLE plaza_{service}; DROP ROLE plaza_{service}_system"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn after_a_change_of_the_role_key_the_new_passwords_log_in_and_the_old_ones_do_not() {
    let (test, settings) = town().await;
    let keyed = |key: &str| DatabaseSettings {
        role_key: key.into(),
        ..settings.clone()
    };
    let (old, new) = (keyed("the first key"), keyed("the second key"));
    let lock = own_service("lock");
    let schemas = [Schema::new(lock, &[])];
    let logs_in = async |settings: &DatabaseSettings| {
        let databases = Databases::new(settings.clone()).unwrap();
        let database = databases.of(lock, Login::default()).unwrap();
        database.check_logins().await.is_ok()
    };
    run(&old, &schemas).await.unwrap();
    assert!(logs_in(&old).await && !logs_in(&new).await);
    let kept = "SELECT string_agg(rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolname ^@ $1";
    let kept = async || -> String {
        let name = format!("plaza_{lock}");
        test.admin().await.query_one(kept, &[&name]).await.unwrap().get(0)
    };
    let before = kept().await;
    run(&old, &schemas).await.unwrap();
    assert_eq!(kept().await, before, "nothing was to be done");
    run(&new, &schemas).await.unwrap();
    assert!(logs_in(&new).await && !logs_in(&old).await);
    remove(&test, lock).await;
}

#[tokio::test]
async fn roles_are_made_again_with_their_password_and_nothing_else() {
    let (test, settings) = town().await;
    let name = own_service("inn");
    let inn = [Schema::new(name, &[])];
    let admin = test.admin().await;
    run(&settings, &inn).await.unwrap();
    let broken = format!(
        "ALTER ROLE plaza_{name} SUPERUSER; DROP OWNED BY plaza_{name}_system; DROP ROLE plaza_{name}_system"
    );
    admin.batch_execute(&broken).await.unwrap();
    // The migrator of the tests is no superuser, and says so instead of leaving a superuser behind.
    let error = run(&settings, &inn).await.unwrap_err();
    assert!(
        matches!(
            error,
            MigrateError::Setup {
                step: "making the roles",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        migrate(&test.url(), &settings.role_key, &inn).await.unwrap(),
        Report::default()
    );
    let sql = format!(
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'plaza_{name}%' AND rolcanlogin AND NOT rolsuper"
    );
    assert_eq!(admin.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 2);
    remove(&test, name).await;
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let (_test, settings) = town().await;
    run(&settings, &[mill(&[FIRST])]).await.unwrap();
    let changed = Migration {
        sql: "CREATE TABLE mill.other (id int)",
        ..FIRST
    };
    let error = run(&settings, &[mill(&[changed])]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Diverged { .. }), "{error:?}");
    assert!(error.to_string().contains("V20261120100000__first"), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let (_test, settings) = town().await;
    run(&settings, &[mill(&[FIRST, SECOND])]).await.unwrap();
    let error = run(&settings, &[mill(&[FIRST])]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_migration_that_comes_too_late_is_refused() {
    let (_test, settings) = town().await;
    run(&settings, &[mill(&[SECOND])]).await.unwrap();
    let error = run(&settings, &[mill(&[FIRST, SECOND])]).await.unwrap_err();
    assert!(matches!(error, MigrateError::OutOfOrder { .. }), "{error:?}");
}

#[tokio::test]
async fn two_migrations_of_one_number_are_refused() {
    let (_test, settings) = town().await;
    let twin = Migration {
        name: "V20261120100000__twin",
        sql: "SELECT 1",
    };
    let error = run(&settings, &[mill(&[FIRST, twin])]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Repeated { .. }), "{error:?}");
    let nameless = Migration {
        name: "first",
        sql: "SELECT 1",
    };
    let error = run(&settings, &[mill(&[nameless])]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Name { .. }), "{error:?}");
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_behind_and_says_what_failed() {
    let (_test, settings) = town().await;
    let broken = Migration {
        name: "V20261120110000__broken",
        sql: "CREATE TABLE mill.half (id int); SELECT plaza.tenant_table('mill.half')",
    };
    let error = run(&settings, &[mill(&[FIRST, broken])]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("no column tenant_id"), "{error}");
    let report = run(
        &settings,
        &[mill(&[
            FIRST,
            Migration {
                sql: "CREATE TABLE mill.half (id int)",
                ..broken
            },
        ])],
    )
    .await;
    assert_eq!(report.unwrap().applied, ["mill V20261120110000__broken"]);
}

const INDEX: Migration = Migration {
    name: "V20261120103000__each_once",
    sql: "-- Outside of a transaction.
          CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS each_once ON mill.first (id)",
};

async fn is_valid(test: &TestDatabase) -> Option<bool> {
    let sql = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('mill.each_once')";
    let row = test.admin().await.query_opt(sql, &[]).await.unwrap();
    row.map(|row| row.get(0))
}

#[tokio::test]
async fn an_index_is_built_outside_of_a_transaction_and_in_its_place() {
    let (test, settings) = town().await;
    let schemas = [mill(&[SECOND, INDEX, FIRST])];
    let all = [FIRST, INDEX, SECOND].map(|one| format!("mill {}", one.name));
    assert_eq!(run(&settings, &schemas).await.unwrap().applied, all);
    assert_eq!(is_valid(&test).await, Some(true));
    assert_eq!(run(&settings, &schemas).await.unwrap(), Report::default());
    assert_eq!(pending(&settings.url, &schemas).await.unwrap(), [""; 0]);
    let changed = Migration {
        sql: "-- Outside of a transaction.\nSELECT 1",
        ..INDEX
    };
    let error = run(&settings, &[mill(&[FIRST, changed, SECOND])])
        .await
        .unwrap_err();
    assert!(matches!(error, MigrateError::Diverged { .. }), "{error:?}");
}

#[tokio::test]
async fn an_index_that_was_not_built_to_its_end_is_built_anew() {
    let (test, settings) = town().await;
    let schemas = [mill(&[FIRST, INDEX, SECOND])];
    run(&settings, &[mill(&[FIRST])]).await.unwrap();
    let admin = test.admin().await;
    admin
        .batch_execute("INSERT INTO mill.first VALUES (1), (1)")
        .await
        .unwrap();
    let error = run(&settings, &schemas).await.unwrap_err();
    assert!(matches!(error, MigrateError::Outside { .. }), "{error:?}");
    assert!(error.to_string().contains("each_once"), "{error}");
    assert_eq!(is_valid(&test).await, Some(false), "PostgreSQL leaves it behind");

    admin.batch_execute("TRUNCATE mill.first").await.unwrap();
    let report = run(&settings, &schemas).await.unwrap();
    assert_eq!(
        report.applied,
        [INDEX, SECOND].map(|one| format!("mill {}", one.name))
    );
    assert_eq!(is_valid(&test).await, Some(true));
}

#[tokio::test]
async fn an_index_that_was_built_and_not_noted_is_noted() {
    let (test, settings) = town().await;
    run(&settings, &[mill(&[FIRST])]).await.unwrap();
    let built = "CREATE UNIQUE INDEX each_once ON mill.first (id)";
    test.admin().await.batch_execute(built).await.unwrap();

    let report = run(&settings, &[mill(&[FIRST, INDEX])]).await.unwrap();

    assert_eq!(report.applied, [format!("mill {}", INDEX.name)]);
}

/// Whoever waits for the lock must not be one of those that the index waits for.
#[tokio::test]
async fn several_programs_may_build_an_index_at_the_same_time() {
    let (_test, settings) = town().await;
    let schemas = [mill(&[FIRST, INDEX, SECOND])];
    let reports =
        futures_util::future::join_all([&settings; 4].map(|settings| run(settings, &schemas))).await;
    let applied: usize = reports
        .into_iter()
        .map(|report| report.unwrap().applied.len())
        .sum();
    assert_eq!(applied, 3);
}

#[tokio::test]
async fn the_functions_for_policies_refuse_tables_that_do_not_fit() {
    let (test, _) = town().await;
    let admin = test.admin().await;
    for (sql, complaint) in [
        (
            "CREATE TABLE ledger.bad (tenant_id uuid, PRIMARY KEY (tenant_id)); ALTER TABLE ledger.bad DROP CONSTRAINT bad_pkey; ALTER TABLE ledger.bad ALTER COLUMN tenant_id DROP NOT NULL; SELECT plaza.tenant_table('ledger.bad')",
            "has no column tenant_id uuid NOT NULL",
        ),
        (
            "CREATE TABLE ledger.bad (tenant_id uuid NOT NULL, id int PRIMARY KEY); SELECT plaza.tenant_table('ledger.bad')",
            "no key that leads with tenant_id",
        ),
        (
            "CREATE TABLE ledger.bad (tenant_id uuid NOT NULL, id int PRIMARY KEY); SELECT plaza.global_table('ledger.bad')",
            "is no global table",
        ),
        (
            "SELECT plaza.system_may('ledger.rates', 'SELECT, TRUNCATE')",
            "no service may be granted TRUNCATE",
        ),
    ] {
        let error = admin.batch_execute(sql).await.unwrap_err();
        let text = error.as_db_error().unwrap().message();
        assert!(text.contains(complaint), "{text}");
    }
}
