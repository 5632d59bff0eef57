//! A provider that does everything a provider can do wrong: nothing is lost, and nothing is sent twice but what it left in
//! doubt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plaza_testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::ladder::status;
use crate::meta::{Answer, Asked, Meta};
use crate::stage::{ACCOUNT, PATIENCE, Stage, campaign, people, quick};
use crate::texts;
use crate::webhook::{callback, signed};

/// What the first try of each message meets.
const FAULTS: [(Answer, bool); 13] = [
    (Answer::Accept, false),
    (Answer::Slow(50), false),
    (Answer::Status(429), true),
    (Answer::Refuse(400, 130_429), true),
    (Answer::Refuse(500, 131_000), true),
    (Answer::Status(500), true),
    (Answer::Status(502), true),
    (Answer::Status(503), true),
    (Answer::Status(504), true),
    // From here on nobody knows.
    (Answer::Stall, true),
    (Answer::Cut, true),
    (Answer::Half, true),
    (Answer::Babble, true),
];

fn fault(asked: &Asked) -> (Answer, bool) {
    let number: usize = asked.to[asked.to.len() - 6..].parse().unwrap();
    FAULTS[number % FAULTS.len()]
}

fn is_doubt(answer: Answer) -> bool {
    matches!(
        answer,
        Answer::Stall | Answer::Cut | Answer::Half | Answer::Babble
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_sent_twice_but_what_was_in_doubt() {
    let meta = Meta::start(|asked| match asked.before {
        0 => fault(asked).0,
        _ => Answer::Accept,
    })
    .await;
    let mut config = quick();
    config.whatsapp.timeout_milliseconds = 300;
    let wait = Duration::from_millis(config.unknown_wait_milliseconds);
    let stage = Stage::open(&meta.url, config).await;
    let people = people(91);
    stage.queue(campaign(), &people).await;
    stage.start();
    eventually(Duration::from_secs(60), || async {
        stage.states().await == BTreeMap::from([("accepted".to_owned(), 91)])
    })
    .await;
    let mut tries: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for asked in meta.asked() {
        tries.entry(asked.to.clone()).or_default().push(asked);
    }
    assert_eq!(tries.len(), people.len());
    for (to, tries) in tries {
        let (answer, again) = fault(&tries[0]);
        assert_eq!(tries.len(), 1 + usize::from(again), "{to}: {answer:?}");
        if is_doubt(answer) {
            let waited = tries[1].at - tries[0].at;
            assert!(waited >= wait, "{to}: {answer:?} after {waited:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_doubt_and_told_of_in_time_is_not_sent_twice() {
    let meta = Meta::start(|asked| match (asked.before, fault(asked).0) {
        (0, answer) if is_doubt(answer) => answer,
        _ => Answer::Accept,
    })
    .await;
    let mut config = quick();
    config.whatsapp.timeout_milliseconds = 300;
    // Nobody sends again before we are done telling.
    config.unknown_wait_milliseconds = 600_000;
    let stage = Stage::open(&meta.url, config).await;
    let ids = stage.queue(campaign(), &people(26)).await;
    stage.start();
    eventually(PATIENCE, || async {
        stage.states().await == BTreeMap::from([("accepted".to_owned(), 18), ("unknown".to_owned(), 8)])
    })
    .await;
    let told: Vec<_> = ids
        .iter()
        .map(|id| status(*id, &format!("wamid.{id}.0"), "sent"))
        .collect();
    signed(&stage, &callback(ACCOUNT, &told)).await.assert_ok();
    // As if the wait were over: there is no doubt left to be resolved.
    stage.sql("UPDATE notification.messages SET due_at = now()").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.states().await, BTreeMap::from([("sent".to_owned(), 26)]));
    assert_eq!(meta.asked().len(), 26);
}

/// Somebody at the other end of a connection who resets it: before the request is read, or when it was.
async fn resetting(is_read: bool) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let at = {
                let mut asked = count.lock().unwrap();
                *asked += 1;
                *asked
            };
            tasks.spawn(answer(connection, at, is_read));
        }
    });
    (url, asked)
}

/// The first connection is reset, the others are answered.
async fn answer(mut connection: TcpStream, at: usize, is_read: bool) {
    if at > 1 || is_read {
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            let mut some = [0; 4_096];
            let read = connection.read(&mut some).await.unwrap_or_default();
            if read == 0 {
                return;
            }
            request.extend_from_slice(&some[..read]);
        }
    }
    if at == 1 {
        // Closed with a reset instead of an end.
        connection.set_zero_linger().unwrap();
        return;
    }
    let body = r#"{"messages":[{"id":"wamid.second"}]}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = connection.write_all(answer.as_bytes()).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_leaves_doubt_and_one_more_try() {
    for is_read in [false, true] {
        let (url, asked) = resetting(is_read).await;
        let stage = Stage::open(&url, quick()).await;
        stage.start();
        let id = stage.queue_one("+4915117404120").await;
        stage.until_state(id, "accepted").await;
        assert_eq!(stage.message(id).await["provider_id"], "wamid.second");
        assert_eq!(*asked.lock().unwrap(), 2, "read: {is_read}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_are_neither_lost_nor_sent_twice_through_everything_that_a_provider_may_do() {
    // Rate limited, failed, away, cut off, stalled, and accepted without an answer; and nothing.
    let to = ["29", "50", "53", "07", "08", "09", "40"].map(|end| format!("+120155501{end}"));
    let settings = plaza_simulator::SimulatorSettings {
        // What is cut off a second time is given up.
        transient_attempts: 1,
        stall_milliseconds: 2_000,
        ..texts::calm()
    };
    let (stage, sender, simulator) = texts::with_simulator(settings).await;
    texts::queue(&stage, sender, &to).await;
    stage.start();
    eventually(Duration::from_secs(60), || async {
        stage.states().await == BTreeMap::from([("delivered".to_owned(), 7)])
    })
    .await;
    let counts = simulator.counts();
    assert_eq!(
        (counts.accepted, counts.duplicates),
        (7, 0),
        "a callback told of what was never answered"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_and_leaves_doubt() {
    let meta = Meta::start(|asked| match asked.before {
        0 => Answer::Endless,
        _ => Answer::Accept,
    })
    .await;
    let stage = Stage::open(&meta.url, quick()).await;
    stage.start();
    let id = stage.queue_one("+4915117404120").await;
    stage.until_state(id, "accepted").await;
    assert_eq!(meta.asked().len(), 2);
    let waited = meta.asked()[1].at - meta.asked()[0].at;
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}
