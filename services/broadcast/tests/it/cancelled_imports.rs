//! Imports that somebody ends.

use http::StatusCode;
use plaza_contracts::permissions::ViewRecipients;
use plaza_testkit::{Mounted, Permit, callers};
use serde_json::json;

use crate::town::{API, Town, id_of, testdata};

const EVENTS: &str = "SELECT count(*) FROM broadcast.outbox WHERE name = 'broadcast.import.completed'";

#[tokio::test]
async fn an_import_that_is_ended_writes_nothing_more() {
    let town = Town::asleep(|config| config.import_batch_rows = 20).await.wake();
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let id = id_of(&owner.upload(&file, None).await.assert_ok());
    let path = format!("/imports/{id}");
    plaza_testkit::eventually(std::time::Duration::from_secs(60), || async {
        owner.get(&path).await.value()["rows_done"].as_i64().unwrap() > 0
    })
    .await;

    let ended = owner
        .post(&format!("{path}/cancel"), &json!({}))
        .await
        .assert_ok()
        .value();
    assert_eq!(ended["state"], "cancelled", "{ended:#}");
    assert!(
        ended["rows_done"].as_i64().unwrap() < 10_000,
        "or it shows nothing"
    );
    let recipients = town.count("SELECT count(*) FROM broadcast.recipients").await;
    assert_eq!(ended["counts"]["valid"], json!(recipients), "what was read stays");
    assert!(ended["finished_at"].is_string());

    // Another import of the tenant comes after it: the first is not worked on any more.
    let other = owner.import(b"phone\n+442071838750\n").await;
    assert_eq!(other["counts"]["valid"], 1);
    assert_eq!(owner.get(&path).await.value(), ended);
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients").await,
        recipients + 1
    );
    assert_eq!(town.count(EVENTS).await, 2);
    town.an_hour_passes().await;
    let folder = town.objects.path().join("imports").join(owner.tenant.to_string());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test]
async fn an_import_that_nobody_has_begun_is_ended_too_and_only_once() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = id_of(&owner.upload(b"phone\n+4915117404120\n", None).await.assert_ok());
    let cancel = format!("/imports/{id}/cancel");
    let first = owner.post(&cancel, &json!({})).await.assert_ok().value();
    let again = owner.post(&cancel, &json!({})).await.assert_ok().value();
    assert_eq!((&first["state"], &first), (&json!("cancelled"), &again));
    assert_eq!(town.count(EVENTS).await, 1);
    let town = town.wake();
    owner.import(b"phone\n+4915117404121\n").await;
    assert_eq!(town.count("SELECT count(*) FROM broadcast.recipients").await, 1);
}

#[tokio::test]
async fn an_import_that_is_over_cannot_be_ended() {
    let town = Town::awake().await;
    let owner = town.owner();
    let import = owner.import(b"phone\n+4915117404120\n").await;
    let cancel = format!("/imports/{}/cancel", import["id"].as_str().unwrap());
    let refused = owner.post(&cancel, &json!({})).await;
    refused.assert_failed(StatusCode::CONFLICT, "IMPORT_STATE");
    assert_eq!(town.count(EVENTS).await, 1);
}

#[tokio::test]
async fn nobody_ends_an_import_that_is_not_theirs_or_without_being_allowed() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let id = id_of(&owner.upload(b"phone\n", None).await.assert_ok());
    let random = plaza_kernel::Clock::system().uuid().to_string();
    for id in [&id, &random] {
        let reply = rival.post(&format!("/imports/{id}/cancel"), &json!({})).await;
        reply.assert_failed(StatusCode::NOT_FOUND, "IMPORT_NOT_FOUND");
    }
    let mounted = Mounted::new(town.broadcast.http(Permit::only::<ViewRecipients>()));
    let member = mounted.as_caller(&callers::member(owner.tenant));
    let reply = member
        .post(&format!("{API}/imports/{id}/cancel"), &json!({}))
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(
        owner.get(&format!("/imports/{id}")).await.value()["state"],
        "uploaded"
    );
}
