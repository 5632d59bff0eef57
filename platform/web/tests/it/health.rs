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
