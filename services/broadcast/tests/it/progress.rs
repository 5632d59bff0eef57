//! How far a campaign is, told as it goes on.

use std::time::Duration;

use http::StatusCode;
use plaza_testkit::Reply;
use serde_json::{Value, json};

use crate::campaigns::counts;
use crate::town::Town;

/// The events of a stream that has ended.
fn events(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let text = reply.text();
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    let events = blocks.filter_map(|block| {
        let (event, data) = block.split_once('\n')?;
        assert_eq!(event, "event: progress", "{text}");
        Some(serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
    });
    events.collect()
}

#[tokio::test]
async fn every_change_is_told_until_it_is_over() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    let path = format!("/campaigns/{id}/progress");
    let change = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        town.notification
            .says(|says| says.counts = counts(&[("leased", 1)]));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        town.notification
            .says(|says| says.counts = counts(&[("delivered", 1)]));
    };
    let (stream, ()) = tokio::join!(owner.get(&path), change);
    let told = events(&stream);
    let states: Vec<&Value> = told.iter().map(|event| &event["state"]).collect();
    assert_eq!(states.first(), Some(&&json!("running")));
    assert_eq!(states.last(), Some(&&json!("completed")));
    assert!(
        told.iter().any(|event| event["counts"] == json!({"leased": 1})),
        "{told:#?}"
    );
    assert_eq!(told.last().unwrap()["counts"], json!({"delivered": 1}));
    for pair in told.windows(2) {
        assert_ne!(pair[0], pair[1], "only changes are told");
    }
}

#[tokio::test]
async fn what_is_over_is_told_once() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.running_asleep(&town).await;
    let over = format!("UPDATE broadcast.campaigns SET state = 'cancelled' WHERE id = '{id}'");
    town.database.admin().await.batch_execute(&over).await.unwrap();
    let stream = owner.get(&format!("/campaigns/{id}/progress")).await.assert_ok();
    assert_eq!(stream.headers["cache-control"], "no-cache");
    let told = events(&stream);
    assert_eq!((told.len(), &told[0]["state"]), (1, &json!("cancelled")));
}

#[tokio::test]
async fn a_stream_ends_after_a_while_and_so_does_one_of_what_was_put_away() {
    let town = Town::asleep(|config| config.progress_seconds = 2).await;
    let owner = town.owner();
    let draft = owner.campaign().await;
    let path = format!("/campaigns/{draft}/progress");
    let began = std::time::Instant::now();
    assert_eq!(events(&owner.get(&path).await.assert_ok()).len(), 1);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());

    let remove = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        owner.delete(&format!("/campaigns/{draft}")).await.assert_ok();
    };
    let (stream, ()) = tokio::join!(owner.get(&path), remove);
    assert_eq!(events(&stream).len(), 1);
    let gone = owner.get(&path).await;
    gone.assert_failed(StatusCode::NOT_FOUND, "CAMPAIGN_NOT_FOUND");
}

#[tokio::test]
async fn however_many_watch_notification_counts_once() {
    let town = Town::asleep(|config| config.progress_seconds = 3).await;
    let owner = town.owner();
    let id = owner.running_asleep(&town).await;
    town.notification
        .says(|says| says.counting = Duration::from_millis(20));
    let path = format!("/campaigns/{id}/progress");
    let streams = (0..20).map(|_| owner.get(&path));
    for stream in futures_util::future::join_all(streams).await {
        assert_eq!(events(&stream).len(), 1);
    }
    let mut counted = 0;
    town.notification.says(|says| counted = says.counted);
    assert!((2..=5).contains(&counted), "{counted}");
}

#[tokio::test]
async fn a_tenant_watches_fifty_times_at_once() {
    let town = Town::asleep(|config| config.progress_seconds = 2).await;
    let (owner, other) = (town.owner(), town.owner());
    let (id, theirs) = (owner.campaign().await, other.campaign().await);
    let path = format!("/campaigns/{id}/progress");
    let streams = futures_util::future::join_all((0..51).map(|_| owner.get(&path)));
    let theirs = format!("/campaigns/{theirs}/progress");
    let (streams, theirs) = tokio::join!(streams, other.get(&theirs));
    theirs.assert_ok();
    let refused: Vec<&Reply> = streams
        .iter()
        .filter(|stream| !stream.status.is_success())
        .collect();
    assert_eq!(refused.len(), 1);
    refused[0]
        .clone()
        .assert_failed(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_AT_ONCE");
    owner.get(&path).await.assert_ok();
}
