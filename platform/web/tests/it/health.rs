//! Readiness flips, and probes cannot hammer what they ask about.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use plaza_web::health::Health;
use serde_json::json;

use crate::support::{ask, get};

#[derive(Default)]
struct Database {
    away: AtomicBool,
    asked: AtomicUsize,
}

fn health(database: &Arc<Database>) -> Health {
    let health = Health::new();
    let database = Arc::clone(database);
    health.check("database", move || {
        database.asked.fetch_add(1, Ordering::Relaxed);
        let away = database.away.load(Ordering::Relaxed);
        async move {
            if away {
                Err("password of the database")
            } else {
                Ok(())
            }
        }
    });
    health
}

#[tokio::test]
async fn readiness_follows_the_checks_and_liveness_does_not() {
    let database = Arc::new(Database::default());
    let router = health(&database).router();
    assert_eq!(
        ask(&router, get("/readyz")).await.json(),
        json!({"status": "ok", "checks": {"database": "ok"}})
    );
    assert_eq!(ask(&router, get("/health")).await.json(), json!({"status": "ok"}));

    database.away.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(1_050)).await;

    let ready = ask(&router, get("/readyz")).await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json(),
        json!({"status": "failing", "checks": {"database": "failing"}})
    );
    assert_eq!(ask(&router, get("/health")).await.status, 503);
    let live = ask(&router, get("/livez")).await;
    assert_eq!(
        (live.status.as_u16(), live.json()),
        (200, json!({"status": "ok"}))
    );
}

#[tokio::test]
async fn a_thousand_probes_ask_the_database_once() {
    let database = Arc::new(Database::default());
    let router = health(&database).router();
    futures_util::future::join_all((0..1_000).map(|_| ask(&router, get("/readyz")))).await;
    assert_eq!(database.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_process_that_is_about_to_stop_is_not_ready_but_alive() {
    let health = health(&Arc::default());
    let router = health.router();
    assert_eq!(ask(&router, get("/readyz")).await.status, 200);
    health.drain();
    let ready = ask(&router, get("/readyz")).await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()["status"].as_str()),
        (503, Some("draining"))
    );
    assert_eq!(ask(&router, get("/livez")).await.status, 200);
}

#[tokio::test]
async fn what_is_only_noted_is_told_and_keeps_nobody_from_being_ready() {
    let health = Health::new();
    health.check("database", || async { Ok::<_, &str>(()) });
    health.note("broker", || async { Err("refused") });
    let ready = ask(&health.router(), get("/readyz")).await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json(),
        json!({"status": "ok", "checks": {"broker": "away", "database": "ok"}})
    );
}

const LEAST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(60);

#[tokio::test]
async fn whoever_asks_is_told_before_the_end() {
    let health = Health::new();
    let router = health.router();
    ask(&router, get("/readyz")).await;
    health.drain();
    let drained = health.drained(LEAST, MOST);
    tokio::pin!(drained);
    // Nobody was told yet.
    tokio::time::timeout(LEAST * 4, drained.as_mut())
        .await
        .unwrap_err();
    assert_eq!(ask(&router, get("/readyz")).await.status, 503);
    tokio::time::timeout(MOST, drained).await.unwrap();
}

#[tokio::test]
async fn where_nobody_asks_nobody_is_waited_for() {
    let health = Health::new();
    health.drain();
    tokio::time::timeout(MOST / 2, health.drained(LEAST, MOST))
        .await
        .unwrap();
}

#[tokio::test]
async fn whoever_stopped_asking_is_not_waited_for_for_ever() {
    let health = Health::new();
    ask(&health.router(), get("/readyz")).await;
    health.drain();
    tokio::time::timeout(MOST, health.drained(LEAST, LEAST * 4))
        .await
        .unwrap();
}
