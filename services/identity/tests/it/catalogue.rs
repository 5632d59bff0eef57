use plaza_testkit::catalogue;

#[tokio::test]
async fn every_statement_fits_the_schema_under_its_own_role() {
    catalogue::assert_statements_fit("plaza_identity", plaza_identity::schema()).await;
}

#[tokio::test]
async fn the_catalogue_lint_has_nothing_to_say() {
    catalogue::assert_lint_is_silent(&[plaza_identity::schema()]).await;
}
