//! Holding the messages of a source, letting them go, calling them off, trying them again, and what became of them.

use std::time::Duration;

use plaza_contracts::events::BroadcastSend;
use plaza_contracts::ids::CampaignId;
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_contracts::proto::notification::{
    CancelReply, CancelRequest, HoldRequest, ReleaseRequest, ReportReply, ReportRequest, RetryFailedReply,
    RetryFailedRequest,
};
use plaza_kernel::Kind;
use plaza_rpc::Transport;
use plaza_testkit::{callers, eventually};
use tonic::Status;

use crate::ladder::status;
use crate::meta::{Answer, Meta};
use crate::rpc::assert_failed;
use crate::stage::{ACCOUNT, PATIENCE, Stage, batch, campaign, people, quick};
use crate::webhook::{callback, signed};

/// A campaign as broadcast treats it.
pub(crate) struct Source {
    client: NotificationClient<Transport>,
    tenant_id: String,
    pub(crate) name: String,
}

impl Source {
    pub(crate) fn of(stage: &Stage, campaign: CampaignId) -> Self {
        Self {
            client: NotificationClient::new(stage.transport()),
            tenant_id: stage.tenant.to_string(),
            name: format!("campaign:{campaign}"),
        }
    }

    pub(crate) async fn hold(&self) {
        let request = HoldRequest {
            tenant_id: self.tenant_id.clone(),
            source: self.name.clone(),
            reason: "PAUSED".to_owned(),
        };
        self.client.clone().hold(request).await.unwrap();
    }

    pub(crate) async fn release(&self) -> Result<(), Status> {
        let request = ReleaseRequest {
            tenant_id: self.tenant_id.clone(),
            source: self.name.clone(),
        };
        self.client.clone().release(request).await.map(drop)
    }

    async fn cancel(&self) -> CancelReply {
        let request = CancelRequest {
            tenant_id: self.tenant_id.clone(),
            source: self.name.clone(),
        };
        self.client.clone().cancel(request).await.unwrap().into_inner()
    }

    pub(crate) async fn retry(&self, codes: &[&str]) -> Result<RetryFailedReply, Status> {
        self.retry_after(codes, "").await
    }

    async fn retry_after(&self, codes: &[&str], after: &str) -> Result<RetryFailedReply, Status> {
        let request = RetryFailedRequest {
            tenant_id: self.tenant_id.clone(),
            source: self.name.clone(),
            codes: codes.iter().map(ToString::to_string).collect(),
            after: after.to_owned(),
        };
        Ok(self.client.clone().retry_failed(request).await?.into_inner())
    }

    pub(crate) async fn report(&self) -> ReportReply {
        let request = ReportRequest {
            tenant_id: self.tenant_id.clone(),
            source: self.name.clone(),
        };
        self.client.clone().report(request).await.unwrap().into_inner()
    }
}

/// Until every message is where its source wants it.
async fn until_moved(stage: &Stage) {
    eventually(PATIENCE, || async {
        let row = stage
            .database
            .admin()
            .await
            .query_one("SELECT count(*) FROM notification.sources WHERE moving", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0) == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_held_source_nothing_leaves_until_it_is_released() {
    let meta = Meta::start(|_| Answer::Slow(20)).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let (held, other) = (campaign(), campaign());
    stage.queue(held, &people(300)).await;
    stage.start();
    let source = Source::of(&stage, held);
    eventually(PATIENCE, || async { meta.asked().len() >= 20 }).await;
    source.hold().await;
    let asked = meta.asked().len();
    until_moved(&stage).await;
    let left = meta.asked().len() - asked;
    assert!(left <= stage.config.in_flight, "{left} left after the answer");
    // Behind them in the queue, and not kept by them.
    stage.queue(other, &people(10)).await;
    eventually(PATIENCE, || async {
        stage.states().await["accepted"] as usize == asked + left + 10
    })
    .await;
    let waiting = stage.states().await["queued"];
    // What is asked for meanwhile waits with the others.
    stage.queue(held, &people(5)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage.states().await["queued"], waiting + 5);
    source.release().await.unwrap();
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&315)
    })
    .await;
    assert!(meta.sent().values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_hold_keeps_when_a_message_was_due() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let held = campaign();
    stage.queue(held, &people(3)).await;
    stage
        .sql("UPDATE notification.messages SET due_at = '2300-01-01 12:00+00' WHERE address LIKE '%1'")
        .await;
    stage.start();
    let source = Source::of(&stage, held);
    let far = "SELECT count(*) FROM notification.messages WHERE due_at > '3000-01-01'";
    let due = "SELECT count(*) FROM notification.messages WHERE due_at = '2300-01-01 12:00+00'";
    let count = async |sql: &str| {
        let admin = stage.database.admin().await;
        admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    source.hold().await;
    until_moved(&stage).await;
    assert_eq!((count(far).await, count(due).await), (3, 0));
    source.release().await.unwrap();
    until_moved(&stage).await;
    assert_eq!((count(far).await, count(due).await), (0, 1));
}

#[tokio::test]
async fn what_comes_back_into_the_queue_of_a_held_source_waits_too() {
    let meta = Meta::start(|_| Answer::Status(503)).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let held = campaign();
    stage.queue(held, &people(20)).await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() >= 8 }).await;
    Source::of(&stage, held).hold().await;
    until_moved(&stage).await;
    assert_eq!(stage.states().await, [("queued".to_owned(), 20)].into());
    let asked = meta.asked().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(meta.asked().len(), asked, "each retry was due long ago");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_source_was_called_off_no_more_leaves_than_was_in_flight() {
    let meta = Meta::start(|_| Answer::Slow(20)).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let off = campaign();
    stage.queue(off, &people(2_000)).await;
    stage.start();
    let source = Source::of(&stage, off);
    eventually(PATIENCE, || async { meta.asked().len() >= 30 }).await;
    let mut cancelled = 0;
    let asked = loop {
        let reply = source.cancel().await;
        cancelled += reply.cancelled;
        if !reply.more {
            break meta.asked().len();
        }
    };
    until_moved(&stage).await;
    let left = meta.asked().len() - asked;
    assert!(left <= stage.config.in_flight, "{left} left after the answer");
    let states = stage.states().await;
    // Those that were called off behind whoever asked are not among those that the answers tell.
    assert!(states["cancelled"] > 1_000, "{states:?}");
    assert!(i64::try_from(cancelled).unwrap() <= states["cancelled"]);
    assert_eq!(states.values().sum::<i64>(), 2_000);
    assert_eq!(
        states.keys().map(String::as_str).collect::<Vec<_>>(),
        ["accepted", "cancelled"]
    );
    eventually(PATIENCE, || async { !stage.outbox().await.is_empty() }).await;
    let settled = stage.outbox().await;
    assert_eq!(
        settled.last().unwrap()["by_state"]["cancelled"],
        states["cancelled"]
    );
    // What arrives late is called off as it comes.
    stage.queue(off, &people(7)).await;
    assert_eq!(stage.states().await["cancelled"], states["cancelled"] + 7);
    let late: BroadcastSend = batch(off, stage.sender, 9, &people(1));
    stage.publish(&late).await;
    stage.settle().await;
    assert_failed(source.release().await, Kind::Conflict, "SOURCE_CANCELLED");
    assert_failed(source.retry(&[]).await, Kind::Conflict, "SOURCE_CANCELLED");
}

#[tokio::test]
async fn who_calls_off_is_told_how_many() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let (off, other) = (campaign(), campaign());
    stage.queue(off, &people(7)).await;
    stage.queue(other, &people(3)).await;
    // Nobody works here who could call them off first.
    let reply = Source::of(&stage, off).cancel().await;
    assert_eq!((reply.cancelled, reply.more), (7, false));
    let states = [("cancelled".to_owned(), 7), ("queued".to_owned(), 3)];
    assert_eq!(stage.states().await, states.into());
}

/// A worker goes on where it was, and looks back now and then: what was due earlier than what it is at does not wait for all
/// that is behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_due_before_others_that_wait_does_not_wait_for_them() {
    let meta = Meta::start(|_| Answer::Slow(20)).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let (large, small) = (campaign(), campaign());
    let everybody = people(2_001);
    let (last, others) = everybody.split_last().unwrap();
    let first = Source::of(&stage, small);
    first.hold().await;
    stage.queue(small, std::slice::from_ref(last)).await;
    stage.queue(large, others).await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() >= 100 }).await;
    let released = meta.asked().len();
    first.release().await.unwrap();
    let number = last.trim_start_matches('+');
    let place = || meta.asked().iter().position(|asked| asked.to == number);
    eventually(PATIENCE, || async { place().is_some() }).await;
    let waited = place().unwrap() - released;
    assert!(
        waited < 1_000,
        "{waited} of {} went before it",
        others.len() - released
    );
}

#[tokio::test]
async fn what_one_process_leaves_another_one_moves() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let held = campaign();
    stage.queue(held, &people(12)).await;
    // Answered, and then the process was gone: nothing of it was started.
    Source::of(&stage, held).hold().await;
    let parked = "SELECT count(*) FROM notification.messages WHERE due_at > '3000-01-01'";
    let count = async || {
        let admin = stage.database.admin().await;
        admin.query_one(parked, &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(count().await, 0);
    stage.another_process().start(&stage.tasks, stage.stop.clone());
    until_moved(&stage).await;
    assert_eq!(count().await, 12);
}

#[tokio::test]
async fn failures_that_may_pass_are_tried_again_and_no_others() {
    let meta = Meta::start(|asked| match (asked.before, asked.to.as_str()) {
        (0, "4915117000000") => Answer::Refuse(400, 132_001),
        (0, "4915117000001") => Answer::Refuse(400, 131_021),
        (0, "4915117000002") => Answer::Refuse(400, 131_026),
        _ => Answer::Accept,
    })
    .await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.start();
    let source = campaign();
    let ids = stage.queue(source, &people(5)).await;
    let source = Source::of(&stage, source);
    for id in &ids[..3] {
        stage.until_state(*id, "failed").await;
    }
    let told = source.report().await;
    let errors: Vec<_> = told
        .by_error
        .iter()
        .map(|error| (error.code.as_str(), error.messages))
        .collect();
    assert_eq!(errors, [("131021", 1), ("131026", 1), ("132001", 1)]);
    let unasked = source.retry(&["131021", "131026"]).await.unwrap();
    assert_eq!(
        (unasked.requeued, unasked.more),
        (0, false),
        "what is wrong stays wrong"
    );
    assert_eq!(source.retry(&[]).await.unwrap().requeued, 1);
    stage.until_state(ids[0], "accepted").await;
    let message = stage.message(ids[0]).await;
    assert_eq!(message["attempts"], 1, "as if it had never been tried");
    // The first failure is told late, and once more.
    let late = callback(
        ACCOUNT,
        &[status(ids[0], &format!("wamid.{}.1", ids[0]), "delivered")],
    );
    signed(&stage, &late).await.assert_ok();
    assert_eq!(stage.state(ids[0]).await, "delivered");
    let failed = stage.states().await["failed"];
    assert_eq!(failed, 2);
}

#[tokio::test]
async fn who_goes_on_after_the_last_one_meets_no_failure_twice() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let source = campaign();
    let ids = stage.queue(source, &people(5)).await;
    let source = Source::of(&stage, source);
    let all_fail = "UPDATE notification.messages SET state = 'failed', error_code = '131000'";
    stage.sql(all_fail).await;
    let first = source.retry(&[]).await.unwrap();
    assert_eq!(
        (first.requeued, first.last.as_str()),
        (5, ids[4].to_string().as_str())
    );
    stage.sql(all_fail).await;
    let next = source.retry_after(&[], &first.last).await.unwrap();
    assert_eq!((next.requeued, next.more, next.last.as_str()), (0, false, ""));
    let part = source.retry_after(&[], &ids[2].to_string()).await.unwrap();
    assert_eq!(part.requeued, 2);
    assert_failed(source.retry_after(&[], "x").await, Kind::Invalid, "INVALID_ID");
}

#[tokio::test]
async fn a_report_waits_no_longer_than_whoever_asked_for_it() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let campaign = campaign();
    stage.queue(campaign, &people(1)).await;
    let admin = stage.database.admin().await;
    let lock = "BEGIN; LOCK TABLE notification.messages IN ACCESS EXCLUSIVE MODE";
    admin.batch_execute(lock).await.unwrap();
    let mut client = NotificationClient::new(stage.transport());
    let request = ReportRequest {
        tenant_id: stage.tenant.to_string(),
        source: format!("campaign:{campaign}"),
    };
    let mut patient = tonic::Request::new(request.clone());
    patient.set_timeout(Duration::from_secs(20));
    let began = std::time::Instant::now();
    let refused = client.report(patient).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(9), "{refused:?}");
    admin.batch_execute("COMMIT").await.unwrap();
    client.report(request).await.unwrap();
}

#[tokio::test]
async fn a_failure_that_is_told_once_more_does_not_fail_the_next_try() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let source = campaign();
    let id = stage.queue(source, &people(1)).await[0];
    let mut failed = status(id, "wamid.first", "failed");
    failed["errors"] = serde_json::json!([{"code": 132_000, "title": "Number of parameters does not match"}]);
    let failed = callback(ACCOUNT, &[failed]);
    signed(&stage, &failed).await.assert_ok();
    assert_eq!(stage.state(id).await, "failed");
    let source = Source::of(&stage, source);
    assert_eq!(source.retry(&[]).await.unwrap().requeued, 1);
    signed(&stage, &failed).await.assert_ok();
    assert_eq!(stage.state(id).await, "queued");
    stage.start();
    stage.until_state(id, "accepted").await;
    assert_eq!(meta.asked().len(), 1);
}

#[tokio::test]
async fn a_report_says_what_became_of_everything() {
    let meta = Meta::start(|asked| match asked.to.as_str() {
        "4915117000000" => Answer::Refuse(400, 131_021),
        _ => Answer::Accept,
    })
    .await;
    let stage = Stage::open(&meta.url, quick()).await;
    let source = campaign();
    let report = Source::of(&stage, source).report().await;
    assert_eq!(
        (report.source_state.as_str(), report.first_sent_at.as_str()),
        ("active", "")
    );
    let ids = stage.queue(source, &people(4)).await;
    stage.start();
    stage.until_state(ids[0], "failed").await;
    stage.until_state(ids[3], "accepted").await;
    eventually(PATIENCE, || async {
        let report = Source::of(&stage, source).report().await;
        report.by_state == [("accepted".to_owned(), 3), ("failed".to_owned(), 1)].into()
    })
    .await;
    let report = Source::of(&stage, source).report().await;
    assert!(!report.first_sent_at.is_empty() && report.last_at >= report.first_sent_at);
    assert_eq!(report.by_error[0].text, "because");
    let rival = Source {
        tenant_id: callers::tenant().to_string(),
        ..Source::of(&stage, source)
    };
    assert!(rival.report().await.by_state.is_empty());
    rival.hold().await;
    assert_eq!(Source::of(&stage, source).report().await.source_state, "active");
}

#[tokio::test]
async fn a_suspended_tenants_messages_wait_until_it_is_let_in_again() {
    use chrono::TimeDelta;
    use plaza_contracts::events::TenantStateChanged;
    use plaza_kernel::Clock;

    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let now = Clock::system().now();
    let changed = |to: &str, minutes| TenantStateChanged {
        tenant_id: stage.tenant,
        from: String::new(),
        to: to.to_owned(),
        at: now + TimeDelta::minutes(minutes),
        delete_after: None,
    };
    stage.hear(&changed("suspended", 1)).await;
    // Older, and told later.
    stage.hear(&changed("active", 0)).await;
    stage.queue(campaign(), &people(20)).await;
    stage.start();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(meta.asked().len(), 0);
    stage.hear(&changed("active", 2)).await;
    eventually(PATIENCE, || async {
        stage.states().await.get("accepted") == Some(&20)
    })
    .await;
}
