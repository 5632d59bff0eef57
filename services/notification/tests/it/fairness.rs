//! A tenant with very much to send leaves the others their share.

use std::collections::BTreeMap;

use plaza_kernel::TenantId;
use plaza_testkit::{callers, eventually};

use crate::meta::{Answer, Asked, Meta};
use crate::stage::{PATIENCE, Stage, create_sender, owner, quick};

/// So many that what is under way at the moment of counting is little beside it.
const EACH: usize = 200;

/// A tenant with so many senders, each with so many messages due: all to one number, so that the provider can tell
/// whose they are.
async fn tenant(stage: &Stage, number: &str, senders: usize, each: usize) -> TenantId {
    let tenant = callers::tenant();
    let client = owner(&stage.mounted, tenant);
    for at in 0..senders {
        create_sender(&client, &format!("Sender {at}"), &format!("{}", 100 + at)).await;
    }
    let due = format!(
        "INSERT INTO notification.messages (tenant_id, id, source, sender_id, channel, address, content, state, due_at,
                                            created_at, updated_at)
         SELECT '{tenant}', gen_random_uuid(), 'campaign:x', s.id, 'whatsapp', '{number}',
                '{{\"type\":\"template\",\"name\":\"t\",\"language\":\"en\",\"body\":[]}}', 'queued', now(), now(), now()
           FROM notification.senders s, generate_series(1, {each}) WHERE s.tenant_id = '{tenant}'"
    );
    stage.sql(&due).await;
    tenant
}

/// How much of what left belonged to whom, up to the last message of the first to be done.
fn shares(asked: &[Asked], messages: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for one in asked {
        let count = left.entry(one.to.clone()).or_default();
        *count += 1;
        if messages.get(&one.to) == Some(count) {
            break;
        }
    }
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_times_the_work_leaves_a_small_tenant_its_half() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let (large, small) = ("4915117000001", "4915117000002");
    tenant(&stage, &format!("+{large}"), 100, 4 * EACH).await;
    tenant(&stage, &format!("+{small}"), 4, EACH).await;
    stage.start();
    let all = 4 * EACH;
    let done = BTreeMap::from([(small.to_owned(), all)]);
    eventually(PATIENCE, || async {
        shares(&meta.asked(), &done).get(small) == Some(&all)
    })
    .await;
    let left = shares(&meta.asked(), &done);
    let share = all as f64 / left.values().sum::<usize>() as f64;
    println!(
        "{left:?}: the small tenant had {:.0} % of its half",
        share * 200.0
    );
    assert!(share >= 0.45, "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_tenants_of_all_sizes_have_the_same_share() {
    let meta = Meta::start(|_| Answer::Accept).await;
    let stage = Stage::open(&meta.url, quick()).await;
    let mut messages = BTreeMap::new();
    for at in 0..20 {
        let number = format!("49151170000{at:02}");
        // From one sender to twenty.
        tenant(&stage, &format!("+{number}"), at + 1, EACH).await;
        messages.insert(number, (at + 1) * EACH);
    }
    stage.start();
    let first_is_done =
        |left: BTreeMap<String, usize>| left.iter().any(|(to, count)| messages.get(to) == Some(count));
    eventually(PATIENCE, || async {
        first_is_done(shares(&meta.asked(), &messages))
    })
    .await;
    let left = shares(&meta.asked(), &messages);
    let fair = left.values().sum::<usize>() as f64 / 20.0;
    println!("{left:?}: {fair} each would be fair");
    let least = messages
        .keys()
        .map(|to| left.get(to).copied().unwrap_or_default())
        .min()
        .unwrap();
    assert!(least as f64 >= 0.9 * fair, "{least} of {fair}: {left:?}");
}

/// A hundred tenants are looked up at a time. Those after them do not wait until these are done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_tenants_than_are_looked_up_at_a_time_have_their_turn() {
    let (early, late) = ("4915117000001", "4915117000002");
    let meta = Meta::start(|asked| match asked.to.as_str() {
        "4915117000001" => Answer::Slow(2_500),
        _ => Answer::Accept,
    })
    .await;
    let stage = Stage::open(&meta.url, quick()).await;
    let each = 4 * stage.config.in_flight;
    for _ in 0..100 {
        tenant(&stage, &format!("+{early}"), 1, each).await;
    }
    for _ in 0..20 {
        tenant(&stage, &format!("+{late}"), 1, 1).await;
    }
    stage.start();
    let asked = |number: &str| meta.asked().iter().filter(|asked| asked.to == number).count();
    eventually(PATIENCE, || async { asked(late) == 20 }).await;
    let before = asked(early);
    println!("{before} of {} before them", 100 * each);
    assert!(before <= 100 * each / 2, "{before} of the others went first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_silence_towards_one_tenant_does_not_keep_anothers_messages_in_doubt() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let large = tenant(&stage, "+4915117000001", 1, 2_000).await;
    let small = tenant(&stage, "+4915117000002", 1, 10).await;
    // The large tenant's wait longer; nothing is sent, so that it shows when each was resolved.
    let doubt = format!(
        "UPDATE notification.senders SET status = 'paused';
         UPDATE notification.messages SET state = 'unknown', unknown_because = 'silence',
                due_at = now() - CASE WHEN tenant_id = '{large}' THEN interval '2 h' ELSE interval '1 h' END"
    );
    stage.sql(&doubt).await;
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await.get("queued") == Some(&2_010)
    })
    .await;
    let before = format!(
        "SELECT count(*) FROM notification.messages
          WHERE tenant_id = '{large}'
            AND updated_at <= (SELECT max(updated_at) FROM notification.messages WHERE tenant_id = '{small}')"
    );
    let row = stage
        .database
        .admin()
        .await
        .query_one(&before, &[])
        .await
        .unwrap();
    let before: i64 = row.get(0);
    assert!(before <= 100, "{before} of the large tenant came first");
}
