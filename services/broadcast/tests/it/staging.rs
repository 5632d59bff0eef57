//! How rows get to the database: through a temporary table, or without one.

use serde_json::json;

use crate::town::{Town, testdata};

#[tokio::test]
async fn a_login_that_may_make_no_temporary_table_imports_the_same() {
    let town = Town::asleep(|config| config.import_batch_rows = 900).await;
    let revoke = "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$";
    town.database.admin().await.batch_execute(revoke).await.unwrap();
    let town = town.wake();
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let path = format!("{}/recipients/import", crate::town::API);
    let dry = owner
        .client
        .post_file(&path, "x", &file, &[("dry_run", "true")])
        .await
        .assert_ok();
    let dry = owner.end_of_import(&crate::town::id_of(&dry)).await;
    let wet = owner.import(&file).await;
    for import in [&dry, &wet] {
        let counts = (&import["counts"]["valid"], &import["counts"]["duplicate"]);
        assert_eq!(counts, (&json!(9_500), &json!(184)), "{import:#}");
    }
    assert_eq!(
        (&dry["would_create"], &dry["would_update"]),
        (&json!(9_500), &json!(0))
    );
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients").await,
        9_500
    );
}

#[tokio::test]
async fn nothing_stays_in_the_temporary_table() {
    let town = Town::awake().await;
    let owner = town.owner();
    owner.import(b"phone\n+4915117404120\n").await;
    let staged = "SELECT coalesce(sum(pg_relation_size(oid)), -1)::bigint FROM pg_class WHERE relname = 'staged_recipients'";
    assert_eq!(town.count(staged).await, 0, "it is there, and empty");
}
