//! HAProxy before two servers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use plaza_testkit::eventually;
use plaza_testkit::haproxy::Haproxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SOON: Duration = Duration::from_secs(20);

/// A server that says its name, and whether it is ready.
async fn server(name: &'static str, ready: Arc<AtomicBool>) -> SocketAddr {
    let readyz = move || {
        let ready = ready.load(Ordering::SeqCst);
        std::future::ready(if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        })
    };
    let router = Router::new()
        .route("/readyz", get(readyz))
        .route("/name", get(move || std::future::ready(name)));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Who answers.
async fn name(proxy: &Haproxy) -> String {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"GET /name HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

#[tokio::test]
async fn only_who_is_ready_gets_requests() {
    let (one_ready, other_ready) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let one = server("one", Arc::clone(&one_ready)).await;
    let other = server("other", other_ready).await;
    let proxy = Haproxy::before(&[one, other]).await;
    assert_eq!(proxy.up(), [one, other]);
    assert!(proxy.url().ends_with(&proxy.address().to_string()));
    let mut names = [name(&proxy).await, name(&proxy).await];
    names.sort();
    assert_eq!(names, ["one", "other"]);

    one_ready.store(false, Ordering::SeqCst);
    eventually(SOON, || std::future::ready(proxy.up() == [other])).await;
    assert_eq!([name(&proxy).await, name(&proxy).await], ["other", "other"]);

    one_ready.store(true, Ordering::SeqCst);
    eventually(SOON, || std::future::ready(proxy.up() == [one, other])).await;
    let address = proxy.address();
    drop(proxy);
    assert!(TcpStream::connect(address).await.is_err(), "it has ended");
}
