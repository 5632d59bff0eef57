//! Faults between a client and a server.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use plaza_database::{Databases, statements};
use plaza_testkit::fault_proxy::{FaultProxy, Mode};
use plaza_testkit::{TestDatabase, callers, eventually};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{SAMPLE, schema};

const SOON: Duration = Duration::from_secs(30);
/// Long enough to be sure that nothing comes.
const A_WHILE: Duration = Duration::from_millis(300);

/// A proxy before a server that sends back what it is sent.
async fn before_an_echo() -> FaultProxy {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            #[expect(clippy::disallowed_methods, reason = "ends with the test")]
            tokio::spawn(async move {
                let (mut reads, mut writes) = stream.split();
                let _ = tokio::io::copy(&mut reads, &mut writes).await;
            });
        }
    });
    FaultProxy::before(address).await
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Sends it and hears it back.
async fn echoed(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut heard = vec![0; text.len()];
    tokio::time::timeout(SOON, stream.read_exact(&mut heard)).await??;
    Ok(heard)
}

async fn hears_nothing(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(A_WHILE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn what_passes_is_carried_both_ways_and_counted() {
    let proxy = before_an_echo().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echoed(&mut stream, b"hello").await.unwrap(), b"hello");
    let counts = proxy.counts();
    assert_eq!(
        (counts.accepted, counts.open, counts.to_server, counts.to_clients),
        (1, 1, 5, 5)
    );
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the end is carried too");
    eventually(SOON, || std::future::ready(proxy.counts().open == 0)).await;
}

#[tokio::test]
async fn refused_connections_find_nobody_until_it_passes_again() {
    let proxy = before_an_echo().await;
    let mut stream = connect(&proxy).await;
    echoed(&mut stream, b"hello").await.unwrap();
    proxy.set(Mode::Refuse).await;
    assert_eq!(
        stream.read_u8().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.set(Mode::Pass).await;
    assert!(echoed(&mut connect(&proxy).await, b"hello").await.is_ok());
}

#[tokio::test]
async fn reset_connections_are_accepted_first() {
    let proxy = before_an_echo().await;
    proxy.set(Mode::ResetAtAccept).await;
    let reset = connect(&proxy).await.read_u8().await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!((proxy.counts().accepted, proxy.counts().open), (1, 0));
}

#[tokio::test]
async fn nothing_leaves_a_black_hole_until_it_closes() {
    let proxy = before_an_echo().await;
    let mut old = connect(&proxy).await;
    echoed(&mut old, b"hello").await.unwrap();
    proxy.set(Mode::BlackHole).await;
    let mut new = connect(&proxy).await;
    old.write_all(b"1").await.unwrap();
    new.write_all(b"2").await.unwrap();
    assert!(hears_nothing(&mut old).await && hears_nothing(&mut new).await);
    assert_eq!(proxy.counts().to_server, 5);
    proxy.set(Mode::Pass).await;
    assert_eq!(
        (old.read_u8().await.unwrap(), new.read_u8().await.unwrap()),
        (b'1', b'2')
    );
}

#[tokio::test]
async fn lost_replies_leave_the_request_done() {
    let proxy = before_an_echo().await;
    proxy.set(Mode::LoseReplies).await;
    let mut stream = connect(&proxy).await;
    stream.write_all(b"hello").await.unwrap();
    eventually(SOON, || std::future::ready(proxy.counts().to_server == 5)).await;
    assert!(hears_nothing(&mut stream).await);
    assert_eq!(proxy.counts().to_clients, 0);
}

#[tokio::test]
async fn a_delay_is_paid_in_each_direction_and_once() {
    let proxy = before_an_echo().await;
    let delay = Duration::from_millis(300);
    proxy.set(Mode::Delay(delay)).await;
    let mut stream = connect(&proxy).await;
    let began = Instant::now();
    for _ in 0..10 {
        stream.write_all(b"x").await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut heard = [0; 10];
    stream.read_exact(&mut heard).await.unwrap();
    assert!(began.elapsed() >= 2 * delay, "{:?}", began.elapsed());
    assert!(
        began.elapsed() < 10 * delay,
        "{:?}: not one after the other",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_reply_is_reset_where_the_test_says() {
    let proxy = before_an_echo().await;
    let mut stream = connect(&proxy).await;
    echoed(&mut stream, b"before").await.unwrap();
    proxy.set(Mode::ResetReplyAfter(3)).await;
    stream.write_all(b"hello").await.unwrap();
    let reset = loop {
        // The reset may overtake the bytes before it.
        match stream.read_u8().await {
            Ok(byte) => assert!(b"hel".contains(&byte)),
            Err(error) => break error,
        }
    };
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.counts().to_clients, 6 + 3);
}

#[tokio::test]
async fn a_trickle_is_one_byte_a_second() {
    let proxy = before_an_echo().await;
    proxy.set(Mode::Trickle).await;
    let mut stream = connect(&proxy).await;
    let began = Instant::now();
    assert_eq!(echoed(&mut stream, b"abc").await.unwrap(), b"abc");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

statements! {
    static ONE: () => (i32,) = "SELECT 1";
}

#[tokio::test]
async fn a_database_is_reached_through_it() {
    let database = TestDatabase::fresh(&[schema()]).await;
    let proxy = FaultProxy::before_database(&database).await;
    let through = Databases::new(proxy.database_settings(&database)).unwrap();
    let sample = through.of(SAMPLE, plaza_database::Login::default()).unwrap();
    let one = sample.read(callers::tenant(), &ONE, ()).await.unwrap();
    assert_eq!(one, [(1,)]);
    assert_eq!(proxy.counts().accepted, 1);
    proxy.set(Mode::Refuse).await;
    assert!(sample.read(callers::tenant(), &ONE, ()).await.is_err());
    proxy.set(Mode::Pass).await;
    assert!(sample.read(callers::tenant(), &ONE, ()).await.is_ok());
}

#[tokio::test]
async fn a_url_keeps_its_login_and_path() {
    let proxy = FaultProxy::before_url(&"amqp://me:secret@127.0.0.1:1/vhost".into()).await;
    let address = proxy.address();
    for (url, expected) in [
        (
            "amqp://me:secret@10.0.0.1:5672/vhost",
            format!("amqp://me:secret@{address}/vhost"),
        ),
        ("http://localhost:8080", format!("http://{address}")),
    ] {
        assert_eq!(proxy.url(&url.into()).expose_secret(), expected);
    }
}
