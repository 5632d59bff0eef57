//! The schema and the statements fit each other and the rules of the house.

use plaza_testkit::catalogue::{assert_lint_is_silent, assert_statements_fit};

use crate::archive::{letters, schema};

#[tokio::test]
async fn every_statement_fits_the_schema_under_its_role() {
    assert_statements_fit("plaza_vault", schema()).await;
}

#[tokio::test]
async fn what_is_declared_as_sealed_fits_the_schema_too() {
    assert_statements_fit(letters::CRATE, schema()).await;
}

#[tokio::test]
async fn the_catalogue_lint_is_silent() {
    assert_lint_is_silent(&[schema()]).await;
}
