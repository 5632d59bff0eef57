//! The end of a server loses no request and waits for nobody who is slow.

use std::time::Duration;

use plaza_web::server::ServerSettings;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Running, quick, rest, until};

#[tokio::test]
async fn the_end_waits_for_a_request_under_way_and_refuses_new_connections() {
    let server = Running::start(quick()).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /sleeps/600 HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    sleep(Duration::from_millis(250)).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    let answer = rest(&mut busy).await;
    assert!(
        answer.ends_with("slept") && answer.contains("connection: close"),
        "{answer}"
    );
    timeout(Duration::from_secs(1), server.tasks.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_connection_accepted_at_the_last_moment_is_answered() {
    let server = Running::start(ServerSettings {
        settle: Duration::from_millis(200),
        ..quick()
    })
    .await;
    server.stop.cancel();
    let mut late = server.connect().await;
    late.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut late).await;
    assert!(
        answer.ends_with("hello") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn neither_a_slow_client_nor_a_slow_handler_holds_up_the_end() {
    let settings = ServerSettings {
        drain: Duration::from_millis(500),
        head_deadline: Duration::from_secs(30),
        ..quick()
    };
    let server = Running::start(settings).await;
    let (mut slowloris, mut endless) = (server.connect().await, server.connect().await);
    slowloris.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    endless
        .write_all(b"GET /sleeps/60000 HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    assert!(server.end().await < Duration::from_secs(2));
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let server = Running::start(quick()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(&mut idle, "hello").await;
    assert!(server.end().await < Duration::from_millis(500));
}

#[tokio::test]
async fn stops_under_load_fail_no_request() {
    for _ in 0..20 {
        let server = Running::start(ServerSettings {
            settle: Duration::from_millis(20),
            ..quick()
        })
        .await;
        let mut stream = server.connect().await;
        let stop = server.stop.clone();
        let stopping = async {
            sleep(Duration::from_millis(3)).await;
            stop.cancel()
        };
        let asking = async {
            loop {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    .await
                    .unwrap();
                if until(&mut stream, "hello").await.contains("connection: close") {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(5), async { tokio::join!(stopping, asking) })
            .await
            .unwrap();
        server.end().await;
    }
}
