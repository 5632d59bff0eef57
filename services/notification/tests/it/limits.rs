//! How much, how fast and when: what a tenant sets, and what providers take.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Timelike};
use plaza_contracts::events::BroadcastSend;
use plaza_kernel::Clock;
use plaza_testkit::eventually;
use serde_json::json;

use crate::meta::{Answer, Meta};
use crate::stage::{PATIENCE, Stage, batch, campaign, create_sender, people, quick};

async fn accepting() -> (Stage, Meta) {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    (stage, meta)
}

/// A campaign of advertising.
fn marketing(stage: &Stage, to: &[String]) -> BroadcastSend {
    let mut event = batch(campaign(), stage.sender, 0, to);
    for message in &mut event.messages {
        message.class = Some("marketing".to_owned());
    }
    event
}

async fn queue(stage: &Stage, event: &BroadcastSend) {
    stage.publish(event).await;
    stage.settle().await;
}

/// Quiet hours around this moment, or away from it.
fn quiet_hours(now: bool) -> serde_json::Value {
    let at = Clock::system().now() + TimeDelta::hours(if now { -1 } else { 3 });
    let end = at + TimeDelta::hours(3);
    json!({"quiet_hours": {"from": format!("{:02}:00", at.hour()), "to": format!("{:02}:59", end.hour()), "zone": "UTC"}})
}

#[tokio::test]
async fn advertising_waits_for_a_decent_hour_and_nothing_else_does() {
    let (stage, meta) = accepting().await;
    stage.configure(1, quiet_hours(true)).await;
    // A number of no country: the tenant's own zone counts.
    let to = ["+8835100000001".to_owned()];
    let event = marketing(&stage, &to);
    queue(&stage, &event).await;
    stage.queue_one("+8835100000002").await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(meta.asked().len(), 1);
    assert_eq!(meta.asked()[0].to, "8835100000002");
    let due =
        "SELECT due_at > now() + interval '30 minutes' FROM notification.messages WHERE state = 'queued'";
    let row = stage.database.admin().await.query_one(due, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0), "it is due when the quiet is over");
}

#[tokio::test]
async fn what_was_queued_in_time_and_is_due_too_late_waits_as_well() {
    let (stage, meta) = accepting().await;
    let event = marketing(&stage, &["+8835100000001".to_owned()]);
    queue(&stage, &event).await;
    stage.configure(1, quiet_hours(true)).await;
    stage.start();
    let id = event.messages[0].message_id;
    eventually(PATIENCE, || async {
        stage.message(id).await["error_code"] == "QUIET_HOURS"
    })
    .await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["attempts"]),
        (&json!("queued"), &json!(0))
    );
    assert_eq!(
        message["why"],
        "it is quiet at the address; it goes out when that is over"
    );
    assert!(meta.asked().is_empty());
    // Settings of an earlier version are no news; of a later one they are.
    stage.configure(1, quiet_hours(false)).await;
    stage.configure(2, quiet_hours(false)).await;
    stage.sql("UPDATE notification.messages SET due_at = now()").await;
    stage.until_state(id, "accepted").await;
}

#[tokio::test]
async fn nobody_gets_more_advertising_than_the_cap_allows() {
    let (stage, meta) = accepting().await;
    stage
        .configure(1, json!({"frequency_cap": {"per_day": 2, "per_week": 3}}))
        .await;
    let to = vec![
        "+5511987654321".to_owned(),
        "+551187654321".to_owned(),
        "+5511987654321".to_owned(),
    ];
    let event = marketing(&stage, &to);
    queue(&stage, &event).await;
    stage.queue_one("+5511987654321").await;
    stage.start();
    eventually(PATIENCE, || async {
        let states = stage.states().await;
        states.get("accepted") == Some(&3) && states.get("skipped") == Some(&1)
    })
    .await;
    assert_eq!(
        meta.asked().len(),
        3,
        "two of advertising in either spelling, and what is none"
    );
    stage
        .sql("UPDATE notification.contacts SET sent_at = ARRAY[now() - interval '2 days', now() - interval '2 days']")
        .await;
    queue(&stage, &marketing(&stage, &to)).await;
    eventually(PATIENCE, || async {
        let states = stage.states().await;
        states.get("accepted") == Some(&4) && states.get("skipped") == Some(&3)
    })
    .await;
    assert_eq!(meta.asked().len(), 4, "one more in the week");
    let skipped = "SELECT count(*) FROM notification.messages WHERE error_code = 'FREQUENCY_CAP'";
    let row = stage
        .database
        .admin()
        .await
        .query_one(skipped, &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 3);
}

#[tokio::test]
async fn what_waits_for_a_decent_hour_is_within_the_cap_when_the_hour_comes() {
    let (stage, meta) = accepting().await;
    let mut terms = quiet_hours(true);
    terms["frequency_cap"] = json!({"per_day": 1});
    stage.configure(1, terms).await;
    let event = marketing(&stage, &["+8835100000001".to_owned()]);
    queue(&stage, &event).await;
    stage.start();
    let id = event.messages[0].message_id;
    eventually(PATIENCE, || async {
        // It was queued for later; as if it had been queued before the quiet.
        stage
            .sql("UPDATE notification.messages SET due_at = now() WHERE epoch = 0")
            .await;
        stage.message(id).await["error_code"] == "QUIET_HOURS"
    })
    .await;
    assert!(meta.asked().is_empty());
    let mut terms = quiet_hours(false);
    terms["frequency_cap"] = json!({"per_day": 1});
    stage.configure(2, terms).await;
    stage.sql("UPDATE notification.messages SET due_at = now()").await;
    stage.until_state(id, "accepted").await;
}

#[tokio::test]
async fn two_who_note_in_one_microsecond_have_one_cap_for_a_person_between_them() {
    let (stage, meta) = accepting().await;
    stage.configure(1, json!({"frequency_cap": {"per_day": 1}})).await;
    // As if another transaction with the same `now()` had taken the place just before.
    stage
        .sql(
            "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
             BEGIN
                 INSERT INTO notification.contacts (tenant_id, channel, address_key, sent_at)
                 VALUES (NEW.tenant_id, NEW.channel, notification.address_key(NEW.address), ARRAY[now()])
                     ON CONFLICT DO NOTHING;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER taken BEFORE UPDATE ON notification.messages FOR EACH ROW
                 WHEN (NEW.state = 'leased') EXECUTE FUNCTION taken();",
        )
        .await;
    let event = marketing(&stage, &["+8835100000001".to_owned()]);
    queue(&stage, &event).await;
    stage.start();
    let id = event.messages[0].message_id;
    eventually(PATIENCE, || async {
        !["queued", "leased"].contains(&stage.message(id).await["state"].as_str().unwrap())
    })
    .await;
    let message = stage.message(id).await;
    assert_eq!(
        (&message["state"], &message["error_code"]),
        (&json!("skipped"), &json!("FREQUENCY_CAP"))
    );
    assert!(meta.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_senders_have_one_cap_for_a_person_between_them() {
    let (stage, meta) = accepting().await;
    stage.configure(1, json!({"frequency_cap": {"per_day": 1}})).await;
    let second = create_sender(&stage.owner(), "Second", "7").await;
    let to = people(300);
    for sender in [stage.sender, second] {
        let mut event = batch(campaign(), sender, 0, &to);
        for message in &mut event.messages {
            message.class = Some("marketing".to_owned());
        }
        queue(&stage, &event).await;
    }
    stage.start();
    let other = stage.another_process();
    other.start(&stage.tasks, stage.stop.clone());
    eventually(PATIENCE, || async {
        let states = stage.states().await;
        states.get("accepted").unwrap_or(&0) + states.get("skipped").unwrap_or(&0) == 600
    })
    .await;
    let mut reached: Vec<String> = meta.asked().iter().map(|asked| asked.to.clone()).collect();
    reached.sort_unstable();
    let before = reached.len();
    reached.dedup();
    assert_eq!((reached.len(), before), (300, 300), "each of them once");
}

#[tokio::test]
async fn a_limit_that_leaves_less_than_could_be_in_flight_lets_a_sender_rest() {
    let (stage, meta) = accepting().await;
    stage.configure(1, json!({"messages_per_second": 5})).await;
    stage.start();
    stage.queue_one("+4915117404120").await;
    eventually(PATIENCE, || async { meta.asked().len() == 1 }).await;
    let leases = "SELECT count(*) FROM notification.sender_leases WHERE until > now()";
    let admin = stage.database.admin().await;
    eventually(PATIENCE, || async {
        admin.query_one(leases, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
}

#[tokio::test]
async fn a_try_after_a_failure_does_not_count_as_another_message() {
    let meta = Meta::start(|asked| match asked.before {
        0 | 1 => Answer::Status(503),
        _ => Answer::Accept,
    })
    .await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.configure(1, json!({"frequency_cap": {"per_day": 1}})).await;
    let event = marketing(&stage, &["+4915117404120".to_owned()]);
    queue(&stage, &event).await;
    stage.start();
    stage.until_state(event.messages[0].message_id, "accepted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_limit_holds_for_all_of_its_senders_together() {
    let (stage, meta) = accepting().await;
    stage.configure(1, json!({"messages_per_second": 20})).await;
    let second = create_sender(&stage.owner(), "Second", "7").await;
    for sender in [stage.sender, second] {
        queue(&stage, &batch(campaign(), sender, 0, &people(60))).await;
    }
    let begun = Instant::now();
    stage.start();
    let other = stage.another_process();
    other.start(&stage.tasks, stage.stop.clone());
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&120)
    })
    .await;
    // A second's worth at once, and then twenty a second.
    assert!(
        begun.elapsed() >= Duration::from_millis(4_500),
        "{:?}",
        begun.elapsed()
    );
    let asked = meta.asked();
    for (at, first) in asked.iter().enumerate() {
        let within = asked[at..]
            .iter()
            .take_while(|one| one.at - first.at < Duration::from_secs(1));
        assert!(within.count() <= 40 + 2 * stage.config.in_flight);
    }
}

#[tokio::test]
async fn one_person_gets_no_more_at_once_than_the_provider_takes() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let mut config = quick();
    config.whatsapp.pair_seconds = 2;
    let stage = Stage::open(&meta.url, config).await;
    let to = vec!["+4915117404120".to_owned(); 47];
    stage.queue(campaign(), &to).await;
    let other = stage.queue_one("+4915117404121").await;
    stage.start();
    stage.until_state(other, "accepted").await;
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&48)
    })
    .await;
    let asked = meta.asked();
    let times: Vec<_> = asked
        .iter()
        .filter(|one| one.to == "4915117404120")
        .map(|one| one.at)
        .collect();
    assert!(times[44] - times[0] < Duration::from_secs(2), "45 may go at once");
    assert!(
        times[45] - times[0] >= Duration::from_millis(1_900),
        "{:?}",
        times[45] - times[0]
    );
    assert!(times[46] - times[45] >= Duration::from_millis(1_800));
}

#[tokio::test]
async fn what_is_over_is_not_sent_any_more() {
    let (stage, meta) = accepting().await;
    let mut event = batch(campaign(), stage.sender, 0, &people(3));
    event.messages[0].expires_at = Some(Clock::system().now() - TimeDelta::seconds(1));
    event.messages[1].expires_at = Some(Clock::system().now() + TimeDelta::hours(1));
    queue(&stage, &event).await;
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&2)
    })
    .await;
    let over = event.messages[0].message_id;
    stage.until_state(over, "expired").await;
    assert_eq!(meta.asked().len(), 2);
    eventually(PATIENCE, || async { !stage.outbox().await.is_empty() }).await;
}

#[tokio::test]
async fn what_waits_for_a_stopped_sender_ends_in_time_too() {
    let (stage, _) = accepting().await;
    stage
        .sql("UPDATE notification.senders SET status = 'paused'")
        .await;
    let mut event = batch(campaign(), stage.sender, 0, &people(1));
    event.messages[0].expires_at = Some(Clock::system().now() + TimeDelta::milliseconds(300));
    queue(&stage, &event).await;
    stage.start();
    stage.until_state(event.messages[0].message_id, "expired").await;
    eventually(PATIENCE, || async { stage.outbox().await.len() == 1 }).await;
}
