//! How fast a sender sends.

use std::time::Duration;

use plaza_contracts::services::NOTIFICATION;
use plaza_notification::{NotificationConfig, WhatsAppConfig};
use plaza_simulator::SimulatorSettings;
use plaza_testkit::eventually;

use crate::meta::{Answer, Meta};
use crate::stage::{PATIENCE, Stage, campaign, people, quick};

async fn at_rate(meta: &Meta, rate: u32, count: usize) -> Stage {
    let mut config = quick();
    config.default_rate = rate;
    let stage = Stage::open(&meta.url, config).await;
    stage.queue(campaign(), &people(count)).await;
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_keeps_to_its_rate() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = at_rate(&meta, 50, 200).await;
    stage.start();
    eventually(PATIENCE, || async { meta.asked().len() >= 100 }).await;
    let asked = meta.asked();
    let first = asked[0].at;
    let in_a_second = asked
        .iter()
        .filter(|asked| asked.at - first < Duration::from_secs(1))
        .count();
    assert!(
        (30..=60).contains(&in_a_second),
        "{in_a_second} in the first second"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_over_many_small_campaigns() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = at_rate(&meta, 20, 1).await;
    stage.start();
    let due = stage.database.of(NOTIFICATION).signal("notification.due");
    let admin = stage.database.admin().await;
    // Each round is over before the next one begins, so each has a worker of its own.
    let began = std::time::Instant::now();
    for round in 1..=20 {
        let more =
            "INSERT INTO notification.messages (tenant_id, id, source, sender_id, channel, address, content,
                           state, due_at, created_at, updated_at)
                    SELECT tenant_id, gen_random_uuid(), source, sender_id, channel, address, content,
                           'queued', now(), now(), now()
                      FROM notification.messages, generate_series(1, 2) LIMIT 2";
        admin.batch_execute(more).await.unwrap();
        due.notify_one();
        let idle = "SELECT NOT EXISTS (SELECT FROM notification.sender_leases)";
        eventually(PATIENCE, || async {
            meta.asked().len() == 2 * round + 1 && admin.query_one(idle, &[]).await.unwrap().get(0)
        })
        .await;
    }
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(1_600),
        "41 messages at 20 a second took {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_provider_is_not_asked_over_and_over() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut config = quick();
    config.retry_milliseconds = 4_000;
    let stage = Stage::open(&format!("http://{address}"), config).await;
    stage.queue(campaign(), &people(100)).await;
    stage.start();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let bounced = "SELECT count(*) FROM notification.messages WHERE error_code = 'NOT_CONNECTED'";
    let row = stage
        .database
        .admin()
        .await
        .query_one(bounced, &[])
        .await
        .unwrap();
    let bounced: i64 = row.get(0);
    assert!(
        (1..=8).contains(&bounced),
        "only what was in flight bounced: {bounced}"
    );
}

/// What Meta allows a number, and from it to one person.
fn as_meta() -> SimulatorSettings {
    SimulatorSettings {
        number_rate: 80,
        pair_seconds: 6,
        delay_milliseconds: [1, 5],
        failure_rate: 0.0,
        retry_first_milliseconds: 20,
        ..SimulatorSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_our_own_settings_nobody_exceeds_what_the_provider_allows() {
    let (own, wire) = (NotificationConfig::default(), WhatsAppConfig::default());
    let mut config = quick();
    (config.default_rate, config.whatsapp.pair_seconds) = (own.default_rate, wire.pair_seconds);
    let (stage, simulator) = Stage::with_simulator(config, as_meta()).await;
    // The last one gets more than may go to one person at once.
    let mut to = people(200);
    to.extend(vec!["+4915117999999".to_owned(); 46]);
    stage.queue(campaign(), &to).await;
    stage.start();
    eventually(PATIENCE, || async { simulator.counts().accepted == 246 }).await;
    let counts = simulator.counts();
    assert_eq!(
        (counts.rejected.len(), counts.duplicates),
        (0, 0),
        "{:?}",
        counts.rejected
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_faster_than_the_provider_allows_gives_way_and_loses_nobody() {
    let slow = SimulatorSettings {
        number_rate: 20,
        ..as_meta()
    };
    let (stage, simulator) = Stage::with_simulator(quick(), slow).await;
    stage.queue(campaign(), &people(120)).await;
    stage.start();
    eventually(Duration::from_secs(60), || async {
        simulator.counts().accepted == 120
    })
    .await;
    let counts = simulator.counts();
    let refused = counts.rejected.get("130429").copied().unwrap_or_default();
    assert!(
        (1..120).contains(&refused),
        "a sender that is refused slows down: {refused}"
    );
    assert_eq!(counts.duplicates, 0);
}
