//! What the database itself can say about this service.

#[tokio::test]
async fn every_statement_fits_the_schema_under_its_own_role() {
    plaza_testkit::catalogue::assert_statements_fit("plaza_broadcast", plaza_broadcast::schema()).await;
}

#[tokio::test]
async fn the_catalogue_lint_is_silent() {
    plaza_testkit::catalogue::assert_lint_is_silent(&[plaza_broadcast::schema()]).await;
}
