//! One-line tests of a service's schema and statements.

use plaza_database::{Schema, check, lint};

use crate::TestDatabase;

/// Prepares every statement of the crate under the login that runs it, and compares every type.
///
/// `catalogue::assert_statements_fit("plaza_broadcast", plaza_broadcast::schema()).await;`
///
/// # Panics
/// With everything that does not fit.
pub async fn assert_statements_fit(crate_name: &str, schema: Schema) {
    let service = schema.service();
    let database = TestDatabase::fresh(&[schema]).await;
    let problems = check::statement_problems(&database.of(service), crate_name).await;
    assert!(
        problems.is_empty(),
        "statements of {crate_name} do not fit:\n{}",
        problems.join("\n")
    );
}

/// Asserts that the catalogue lint has nothing to say about these schemas.
///
/// # Panics
/// With everything that it has to say.
pub async fn assert_lint_is_silent(schemas: &[Schema]) {
    let database = TestDatabase::fresh(schemas).await;
    match lint::findings(&database.url(), schemas).await {
        Ok(findings) => {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            assert!(
                lines.is_empty(),
                "the catalogue is not as it has to be:\n{}",
                lines.join("\n")
            );
        }
        Err(error) => panic!("the catalogue cannot be read: {error}"),
    }
}
