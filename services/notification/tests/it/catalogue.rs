use plaza_testkit::catalogue::{assert_lint_is_silent, assert_statements_fit};

#[tokio::test]
async fn every_statement_fits_the_schema() {
    assert_statements_fit("plaza_notification", plaza_notification::schema()).await;
}

#[tokio::test]
async fn the_schema_isolates_tenants() {
    assert_lint_is_silent(&[plaza_notification::schema()]).await;
}
