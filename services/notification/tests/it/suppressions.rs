//! Who must not be written to is not written to.

use http::StatusCode;
use plaza_contracts::services::NOTIFICATION;
use plaza_kernel::Clock;
use plaza_schedule::{ScheduleSettings, Scheduler};
use plaza_testkit::{callers, eventually};
use serde_json::json;

use crate::meta::{Answer, Meta};
use crate::stage::{PATIENCE, Stage, campaign, owner, people, quick};

const PATH: &str = "/api/v1/notifications/suppressions";

#[tokio::test]
async fn who_opts_out_after_the_campaign_was_queued_is_skipped() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let people = people(60);
    let ids = stage.queue(campaign(), &people).await;
    // More than one turn's worth, so that a turn that finds nobody to send to is not the last.
    for to in &people[..40] {
        stage
            .owner()
            .post(PATH, &json!({"address": to}))
            .await
            .assert_status(StatusCode::CREATED);
    }
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&20)
    })
    .await;
    assert_eq!(stage.states().await["skipped"], 40);
    let message = stage.message(ids[0]).await;
    assert_eq!(
        (&message["state"], &message["error_code"]),
        (&json!("skipped"), &json!("SUPPRESSED"))
    );
    assert_eq!(message["attempts"], 0);
    let asked: Vec<String> = meta
        .asked()
        .into_iter()
        .map(|asked| format!("+{}", asked.to))
        .collect();
    assert_eq!(asked.len(), 20);
    assert!(people[..40].iter().all(|to| !asked.contains(to)));
    eventually(PATIENCE, || async { !stage.outbox().await.is_empty() }).await;
}

#[tokio::test]
async fn a_campaign_to_nobody_but_suppressed_people_is_settled_soon() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let mut config = quick();
    config.poll_milliseconds = 60_000;
    let stage = Stage::open(&meta.url, config).await;
    let people = people(100);
    for to in &people {
        stage
            .owner()
            .post(PATH, &json!({"address": to}))
            .await
            .assert_ok();
    }
    stage.queue(campaign(), &people).await;
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await.get("skipped") == Some(&100)
    })
    .await;
    eventually(PATIENCE, || async { !stage.outbox().await.is_empty() }).await;
    assert!(meta.asked().is_empty());
}

#[tokio::test]
async fn an_address_is_suppressed_once_and_can_be_lifted() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let body = json!({"address": "+4915117404120", "reason": "asked by telephone"});
    let first = stage
        .owner()
        .post(PATH, &body)
        .await
        .assert_status(StatusCode::CREATED)
        .value();
    let again = stage
        .owner()
        .post(PATH, &json!({"address": "+4915117404120"}))
        .await
        .assert_ok()
        .value();
    assert_eq!(first, again, "what stands is given back");
    let rival = owner(&stage.mounted, callers::tenant());
    assert_eq!(rival.get(PATH).await.assert_ok().value()["items"], json!([]));
    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    rival
        .delete(&path)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "SUPPRESSION_NOT_FOUND");
    stage
        .owner()
        .delete(&path)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    stage
        .owner()
        .delete(&path)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "SUPPRESSION_NOT_FOUND");
}

#[tokio::test]
async fn what_is_no_address_is_refused_with_its_place() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    for address in ["", "4915117404120", "+49 151", "+4915117404120\n", "+٤٩١٥١١٧٤٠٤١"] {
        let reply = stage.owner().post(PATH, &json!({"address": address})).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_SUPPRESSION");
        assert_eq!(reply.value()["errors"][0]["pointer"], "/address", "{reply}");
    }
}

#[tokio::test]
async fn lists_come_in_pages_without_a_gap() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let people = people(7);
    for to in &people {
        stage
            .owner()
            .post(PATH, &json!({"address": to}))
            .await
            .assert_ok();
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stage
            .owner()
            .get(&format!("{PATH}?limit=3{cursor}"))
            .await
            .assert_ok()
            .value();
        let items = page["items"].as_array().unwrap().iter();
        found.extend(items.map(|item| item["address"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.reverse();
    assert_eq!(found, people);
    let second = stage
        .owner()
        .get(&format!("{PATH}?limit=3&page=2"))
        .await
        .assert_ok()
        .value();
    assert_eq!(second["items"][0]["address"], people[3]);
}

#[tokio::test]
async fn what_says_nothing_of_an_address_any_more_is_removed_at_night() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let tenant = stage.tenant;
    stage
        .sql(&format!(
            "INSERT INTO notification.contacts (tenant_id, channel, address_key, sent_at, unreachable_at)
             VALUES ('{tenant}', 'sms', 'gone', ARRAY[now() - interval '8 days'], now() - interval '91 days'),
                    ('{tenant}', 'sms', 'nothing', '{{}}', NULL),
                    ('{tenant}', 'sms', 'written to', ARRAY[now() - interval '6 days'], NULL),
                    ('{tenant}', 'sms', 'not there', '{{}}', now() - interval '89 days');
             INSERT INTO notification.opt_outs
                    (tenant_id, address_key, channel, source, id, address, scope, stands, said_at, created_at)
             VALUES ('{tenant}', 'stands', 'sms', 'stop', gen_random_uuid(), '+1', 'all', true,
                     now() - interval '9 years', now()),
                    ('{tenant}', 'lifted', 'sms', 'stop', gen_random_uuid(), '+1', 'all', false,
                     now() - interval '29 days', now()),
                    ('{tenant}', 'long ago', 'sms', 'stop', gen_random_uuid(), '+1', 'all', false,
                     now() - interval '31 days', now())"
        ))
        .await;
    let scheduler = Scheduler::new(
        stage.database.of(NOTIFICATION),
        stage.notification.schedules(),
        Clock::system(),
        ScheduleSettings::default(),
    );
    scheduler.run_due().await.unwrap();
    stage
        .sql("UPDATE notification.schedules SET next_at = now() WHERE name = 'notification.tidy_contacts'")
        .await;
    assert_eq!(scheduler.run_due().await.unwrap(), 1);
    let left = "SELECT address_key FROM notification.contacts UNION ALL SELECT address_key FROM notification.opt_outs
                 ORDER BY 1";
    let rows = stage.database.admin().await.query(left, &[]).await.unwrap();
    let left: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["lifted", "not there", "stands", "written to"]);
}
