//! Imports that only find out what would become of each row.

use http::StatusCode;
use serde_json::{Value, json};

use crate::town::{API, Owner, Town, id_of, testdata};

async fn dry(owner: &Owner, content: &[u8]) -> String {
    let path = format!("{API}/recipients/import");
    let reply = owner
        .client
        .post_file(&path, "people.csv", content, &[("dry_run", "true")])
        .await;
    let reply = reply.assert_status(StatusCode::ACCEPTED);
    assert_eq!(reply.value()["dry_run"], true);
    id_of(&reply)
}

const EVENTS: &str = "SELECT count(*) FROM broadcast.outbox WHERE name = 'broadcast.import.completed'";
const RECIPIENTS: &str = "SELECT count(*) FROM broadcast.recipients";
const NUMBERS: &str = "SELECT count(*) FROM broadcast.import_numbers";

#[tokio::test]
async fn a_dry_run_counts_as_the_import_does_and_writes_nobody() {
    let town = Town::asleep(|config| config.import_batch_rows = 700).await.wake();
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    owner.import(b"phone,name\n+4915117404120,Ada\n").await;
    let dry = owner.end_of_import(&dry(&owner, &file).await).await;
    assert_eq!(
        (&dry["would_create"], &dry["would_update"]),
        (&json!(9_499), &json!(1))
    );
    assert_eq!((town.count(RECIPIENTS).await, town.count(EVENTS).await), (1, 1));
    plaza_testkit::eventually(std::time::Duration::from_secs(20), || async {
        town.count(NUMBERS).await == 0
    })
    .await;

    let wet = owner.import(&file).await;
    assert_eq!((&dry["counts"], &dry["state"]), (&wet["counts"], &wet["state"]));
    assert_eq!((wet.get("would_create"), &wet["dry_run"]), (None, &json!(false)));
    let errors = async |import: &Value| {
        let path = format!("/imports/{}/errors.csv", import["id"].as_str().unwrap());
        owner.get(&path).await.text()
    };
    assert_eq!(errors(&dry).await, errors(&wet).await);
    assert_eq!(town.count(RECIPIENTS).await, 9_500);
}

#[tokio::test]
async fn a_dry_run_tells_new_recipients_from_known_ones() {
    let town = Town::asleep(|config| config.import_batch_rows = 1).await.wake();
    let (owner, rival) = (town.owner(), town.owner());
    owner.import(b"phone,name\n+4915117404120,Ada\n").await;
    rival.import(b"phone,name\n+4915117404121,Eve\n").await;
    let file = b"phone,name\n+4915117404120,Ada L.\n+4915117404121,Bob\n+49 1511 7404120,Ada again\nx,y\n";
    let import = owner.end_of_import(&dry(&owner, file).await).await;
    assert_eq!(
        (&import["would_create"], &import["would_update"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&import["counts"]["duplicate"], &import["counts"]["invalid_phone"]),
        (&json!(1), &json!(1))
    );
    let named = "SELECT count(*) FROM broadcast.recipients WHERE name = 'Ada'";
    assert_eq!(
        (town.count(named).await, town.count(RECIPIENTS).await),
        (1, 2),
        "nothing was touched"
    );
}

#[tokio::test]
async fn a_dry_run_that_is_killed_again_and_again_still_counts_exactly() {
    let town = Town::asleep(|config| config.import_batch_rows = 100).await;
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let path = format!("/imports/{}", dry(&owner, &file).await);
    for _ in 0..3 {
        let victim = town.victim();
        let before = owner.get(&path).await.value()["rows_done"].as_i64().unwrap();
        plaza_testkit::eventually(std::time::Duration::from_secs(60), || async {
            owner.get(&path).await.value()["rows_done"].as_i64().unwrap() > before
        })
        .await;
        victim.kill();
    }
    let town = town.wake();
    let import = owner.end_of_import(path.strip_prefix("/imports/").unwrap()).await;
    assert_eq!(
        (&import["would_create"], &import["counts"]["duplicate"]),
        (&json!(9_500), &json!(184))
    );
    assert_eq!(town.count(RECIPIENTS).await, 0);
}

#[tokio::test]
async fn numbers_that_a_crash_left_of_a_dry_run_are_swept() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = dry(&owner, b"phone\n+4915117404120\n").await;
    owner.end_of_import(&id).await;
    let left = format!(
        "INSERT INTO broadcast.import_numbers SELECT '{}', '{id}', '+49' || n FROM generate_series(1, 25000) n",
        owner.tenant
    );
    plaza_testkit::eventually(std::time::Duration::from_secs(20), || async {
        town.count(NUMBERS).await == 0
    })
    .await;
    town.database.admin().await.batch_execute(&left).await.unwrap();
    town.an_hour_passes().await;
    assert_eq!(town.count(NUMBERS).await, 0);
}

#[tokio::test]
async fn whether_it_is_one_has_to_be_clear() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let path = format!("{API}/recipients/import");
    for text in ["", "yes", "TRUE", "1"] {
        let reply = owner
            .client
            .post_file(&path, "x", b"phone\n", &[("dry_run", text)])
            .await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_DRY_RUN");
    }
    let twice = [("dry_run", "true"), ("dry_run", "true")];
    let reply = owner.client.post_file(&path, "x", b"phone\n", &twice).await;
    reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IMPORT_PARTS");
    let reply = owner
        .client
        .post_file(&path, "x", b"phone\n", &[("dry_run", "false")])
        .await;
    assert_eq!(reply.assert_ok().value()["dry_run"], false);
    assert_eq!(town.count("SELECT count(*) FROM broadcast.imports").await, 1);
}
