//! What became of a campaign.

use http::StatusCode;
use plaza_contracts::proto::notification::{ErrorCount, ReportReply, Tripped};
use serde_json::json;

use crate::town::Town;

#[tokio::test]
async fn a_report_says_what_became_of_it_and_what_stopped_it() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.running_asleep(&town).await;
    let path = format!("/campaigns/{id}/report");
    let nothing = owner.get(&path).await.assert_ok().value();
    let expected = json!({"state": "running", "planned": {}, "messages": {}, "by_error": []});
    assert_eq!(nothing, expected);

    let sender = plaza_kernel::Clock::system().uuid().to_string();
    town.notification.says(|says| {
        let states = [("delivered", 5), ("read", 3), ("failed", 2), ("queued", 7)];
        says.report = ReportReply {
            by_state: states.map(|(state, count)| (state.to_owned(), count)).into(),
            by_error: vec![ErrorCount {
                code: "131049".to_owned(),
                text: "not delivered".to_owned(),
                messages: 2,
            }],
            first_sent_at: "2027-01-15T08:00:00Z".to_owned(),
            last_at: "2027-01-15T08:01:30Z".to_owned(),
            source_state: "held".to_owned(),
            source_reason: "TRIPPED".to_owned(),
            tripped: Some(Tripped {
                sender_id: sender.clone(),
                class: "pacing".to_owned(),
                code: "131049".to_owned(),
                failed: 2,
                tried: 10,
                at: "2027-01-15T08:01:00Z".to_owned(),
            }),
        };
    });
    let report = owner.get(&path).await.assert_ok().value();
    let expected = json!({
        "state": "running", "planned": {}, "messages": {"delivered": 5, "read": 3, "failed": 2, "queued": 7},
        "by_error": [{"code": "131049", "text": "not delivered", "messages": 2}],
        "first_sent_at": "2027-01-15T08:00:00Z", "last_at": "2027-01-15T08:01:30Z", "seconds": 90,
        "delivered_share": 0.8, "read_share": 0.375,
        "tripped": {"sender_id": sender, "class": "pacing", "code": "131049", "failed": 2, "tried": 10,
                    "at": "2027-01-15T08:01:00Z"},
    });
    assert_eq!(report, expected);
    town.notification.says(|says| says.away = true);
    assert_eq!(owner.get(&path).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_report_may_take_longer_than_other_answers_and_two_at_once_are_enough() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = owner.running_asleep(&town).await;
    town.notification
        .says(|says| says.reporting = std::time::Duration::from_millis(5_500));
    let path = format!("/campaigns/{id}/report");
    let (one, two, three) = tokio::join!(owner.get(&path), owner.get(&path), owner.get(&path));
    let mut statuses = [one, two, three].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 429]);
}
