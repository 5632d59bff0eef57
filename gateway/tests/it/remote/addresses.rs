//! A service at two addresses: the less loaded answers, and one may go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use plaza_gateway::GatewaySettings;
use plaza_rpc::HealthSettings;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::elsewhere::{Served, remotes};
use crate::house::House;
use crate::rough::{Rough, Talk};

const CLIENTS: usize = 16;
const REQUESTS: usize = 40;

/// An instance that is ready until told otherwise, and counts who saw that it is not.
struct Instance {
    served: Served,
    ready: watch::Sender<bool>,
    refused: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

impl Instance {
    async fn start() -> Self {
        let (ready, refused, answered) = (watch::Sender::new(true), Arc::default(), Arc::default());
        let (watched, seen): (_, Arc<AtomicUsize>) = (ready.subscribe(), Arc::clone(&refused));
        let readiness = move || async move {
            if *watched.borrow() {
                return StatusCode::OK;
            }
            seen.fetch_add(1, Ordering::SeqCst);
            StatusCode::SERVICE_UNAVAILABLE
        };
        let count: Arc<AtomicUsize> = Arc::clone(&answered);
        let work = move || async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            count.fetch_add(1, Ordering::SeqCst).to_string()
        };
        let router = axum::Router::new()
            .route("/readyz", get(readiness))
            .fallback(work);
        Self {
            served: Served::start(router, &House::new().clock).await,
            ready,
            refused,
            answered,
        }
    }

    /// Goes as a process does that was asked to: not ready, then seen so by everybody who looks, then away.
    async fn drain(&self) {
        self.ready.send_replace(false);
        // Three services are looked after here, each with its own eyes.
        while self.refused.load(Ordering::SeqCst) < 2 * 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.served.end().await;
    }
}

/// A gateway whose eyes are quick.
fn before(instances: &[&Served], tasks: &TaskTracker, stop: &CancellationToken) -> House {
    let settings = GatewaySettings::default();
    let (remote, uris) = (
        settings.remote,
        instances.iter().map(|instance| instance.uri.clone()),
    );
    let health = HealthSettings {
        interval: Duration::from_millis(50),
        ..HealthSettings::default()
    };
    let uris: Vec<_> = uris.collect();
    House::before(settings, |clock| {
        remotes(clock, &uris, remote, health, Some((tasks, stop)))
    })
    .unwrap()
}

/// Many clients at once; what did not succeed.
async fn load(house: &House, method: Method, target: &str, done: &AtomicUsize) -> Vec<u16> {
    let clients = (0..CLIENTS).map(|_| async {
        let mut failed = Vec::new();
        for _ in 0..REQUESTS {
            let answer = house.call(method.clone(), "localhost", target).await;
            if answer.status != StatusCode::OK {
                failed.push(answer.status.as_u16());
            }
            done.fetch_add(1, Ordering::SeqCst);
        }
        failed
    });
    join_all(clients).await.concat()
}

async fn reached(done: &AtomicUsize, number: usize) {
    while done.load(Ordering::SeqCst) < number {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_instance_that_goes_in_order_loses_no_request_of_any_kind() {
    let (going, staying) = (Instance::start().await, Instance::start().await);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let house = before(&[&going.served, &staying.served], &tasks, &stop);
    let done = AtomicUsize::new(0);
    let leaving = async {
        reached(&done, 100).await;
        going.drain().await;
    };
    let (failed, ()) = tokio::join!(load(&house, Method::POST, "/webhooks/meta", &done), leaving);
    assert_eq!(failed, [0; 0]);
    assert!(going.answered.load(Ordering::SeqCst) > 30);
    assert!(staying.answered.load(Ordering::SeqCst) > 100);
    stop.cancel();
}

#[tokio::test]
async fn an_instance_that_dies_under_load_loses_no_question() {
    let staying = Instance::start().await;
    // Answers for a while, then dies with all that it was working on.
    let dead = CancellationToken::new();
    let dying = {
        let dead = dead.clone();
        Rough::start(move |_, mut talk: Talk| {
            let dead = dead.clone();
            async move {
                let living = async {
                    loop {
                        talk.request().await?;
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
                    }
                };
                let alive: Option<Option<()>> = dead.run_until_cancelled(living).await;
                if alive.is_none() { talk.reset() } else { None }
            }
        })
        .await
    };
    let settings = GatewaySettings::default();
    let (remote, uris) = (settings.remote, [dying.uri.clone(), staying.served.uri.clone()]);
    // Nobody looks: only calls tell.
    let house = House::before(settings, |clock| {
        remotes(clock, &uris, remote, HealthSettings::default(), None)
    })
    .unwrap();
    let done = AtomicUsize::new(0);
    let requests = dying.requests();
    let death = async {
        reached(&done, 200).await;
        dead.cancel();
        let seen = dying.requests();
        drop(dying);
        seen
    };
    let (failed, seen) = tokio::join!(load(&house, Method::GET, "/setup", &done), death);
    assert_eq!(failed, [0; 0]);
    assert!(seen > requests + 50);
}

#[tokio::test]
async fn the_address_with_less_to_do_is_chosen() {
    let places = [0, 1].map(|_| (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0))));
    let mut served = Vec::new();
    for (begun, go_on) in &places {
        let (begun, go_on) = (Arc::clone(begun), Arc::clone(go_on));
        let router = axum::Router::new().fallback(async move || {
            begun.fetch_add(1, Ordering::SeqCst);
            go_on.acquire().await.unwrap().forget();
        });
        served.push(Served::start(router, &House::new().clock).await);
    }
    let uris: Vec<_> = served.iter().map(|served| served.uri.clone()).collect();
    let house = House::before_addresses(GatewaySettings::default(), &uris);
    let answered = AtomicUsize::new(0);
    let ask = || async {
        let answer = house.call(Method::GET, "localhost", "/setup").await;
        answered.fetch_add(1, Ordering::SeqCst);
        answer
    };
    let ten = join_all((0..10).map(|_| ask()));
    let story = async {
        let [(one, one_goes_on), (other, other_goes_on)] = &places;
        while one.load(Ordering::SeqCst) + other.load(Ordering::SeqCst) < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!((one.load(Ordering::SeqCst), other.load(Ordering::SeqCst)), (5, 5));
        // One gets free: the next five are its own.
        one_goes_on.add_permits(5);
        reached(&answered, 5).await;
        let five = join_all((0..5).map(|_| ask()));
        let check = async {
            while one.load(Ordering::SeqCst) < 10 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            one_goes_on.add_permits(5);
            other_goes_on.add_permits(5);
        };
        tokio::join!(five, check);
        assert_eq!(
            (one.load(Ordering::SeqCst), other.load(Ordering::SeqCst)),
            (10, 5)
        );
    };
    let limit = Duration::from_secs(60);
    let (answers, ()) = tokio::time::timeout(limit, async { tokio::join!(ten, story) })
        .await
        .unwrap();
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
}
