//! Asking addresses whether they are ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use plaza_rpc::{Addresses, HealthSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::forge::ACCESS;

const SETTINGS: HealthSettings = HealthSettings {
    interval: Duration::from_millis(20),
    timeout: Duration::from_millis(200),
    failures: 2,
    ejected_for: Duration::from_secs(600),
};

/// Answers with a status that the test sets; with none at 0.
struct Process {
    status: Arc<AtomicU16>,
    port: u16,
    _serving: JoinSet<()>,
}

impl Process {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let status = Arc::new(AtomicU16::new(200));
        let answers = Arc::clone(&status);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = [0; 1024];
                let read = stream.read(&mut question).await.unwrap_or_default();
                assert!(question[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                match answers.load(Ordering::SeqCst) {
                    0 => silent.push(stream),
                    status => {
                        let answer =
                            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            }
        });
        Self {
            status,
            port,
            _serving: serving,
        }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_address_is_down_while_it_is_not_ready_and_up_at_its_first_good_answer() {
    let process = Process::start().await;
    let uri = format!("http://127.0.0.1:{}", process.port).parse().unwrap();
    let addresses = Addresses::new(ACCESS, vec![uri], SETTINGS).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    addresses.start(&tasks, stop.clone());
    for bad in [503, 0, 500] {
        process.answer(bad);
        until(|| !addresses.any_healthy()).await;
        // What calls found out meanwhile is forgotten with the good answer.
        let chosen = addresses.choose(&[]).unwrap();
        chosen.failed();
        chosen.failed();
        process.answer(200);
        until(|| addresses.any_healthy()).await;
    }
    stop.cancel();
    tasks.close();
    tokio::time::timeout(Duration::from_secs(20), tasks.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_there_is_down() {
    let process = Process::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let uris = [process.port, nobody].map(|port| format!("http://127.0.0.1:{port}").parse().unwrap());
    let addresses = Addresses::new(ACCESS, uris.into(), SETTINGS).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    addresses.start(&tasks, stop.clone());
    let all_go_to_the_first = || (0..8).all(|_| addresses.choose(&[]).unwrap().index() == 0);
    until(all_go_to_the_first).await;
    assert!(addresses.any_healthy());
    stop.cancel();
}
