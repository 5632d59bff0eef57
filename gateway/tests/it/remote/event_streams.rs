//! Server-sent events: each at once, for as long as there are some, and an end in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plaza_gateway::RemoteSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::elsewhere::{Served, read_all, settings};
use crate::house::House;
use crate::rough::{Rough, Talk};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A stream of what a test says, and when.
struct Stream {
    say: mpsc::UnboundedSender<&'static str>,
    _service: Rough,
    _house: House,
    gateway: Served,
    client: TcpStream,
}

impl Stream {
    /// One that may be silent for so long.
    async fn open(stream_idle_seconds: u16) -> Self {
        let (say, said) = mpsc::unbounded_channel::<&'static str>();
        let said = Arc::new(Mutex::new(said));
        let service = Rough::start(move |_, mut talk: Talk| {
            let said = Arc::clone(&said);
            async move {
                talk.request().await?;
                talk.say(HEAD).await?;
                while let Some(piece) = said.lock().await.recv().await {
                    talk.say(&format!("{:x}\r\n{piece}\r\n", piece.len())).await?;
                }
                Some(())
            }
        })
        .await;
        let remote = RemoteSettings {
            deadline_seconds: 1,
            stream_idle_seconds,
            ..RemoteSettings::default()
        };
        let house = House::before_addresses(settings(remote), std::slice::from_ref(&service.uri));
        let gateway = Served::gateway(&house).await;
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        let head = b"GET /setup HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.write_all(head).await.unwrap();
        Self {
            say,
            _service: service,
            _house: house,
            gateway,
            client,
        }
    }

    /// Waits until this arrives.
    async fn hear(&mut self, expected: &str) {
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(expected) {
            let mut piece = [0; 1024];
            let length = self.client.read(&mut piece).await.unwrap();
            assert_ne!(length, 0, "the stream ended: {}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&piece[..length]);
        }
    }
}

#[tokio::test]
async fn each_event_arrives_before_the_next_one_is_made_and_no_deadline_ends_them() {
    let mut stream = Stream::open(30).await;
    stream.hear("text/event-stream").await;
    let begun = Instant::now();
    let mut events = 0;
    while begun.elapsed() < Duration::from_millis(2_500) {
        stream.say.send("data: tick\n\n").unwrap();
        stream.hear("data: tick\n\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        events += 1;
    }
    assert!(events > 3);
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_cut_off() {
    let mut stream = Stream::open(1).await;
    stream.say.send("data: tick\n\n").unwrap();
    stream.hear("data: tick\n\n").await;
    let rest = read_all(&mut stream.client).await;
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn a_gateway_that_stops_ends_streams_between_two_events() {
    let mut stream = Stream::open(30).await;
    stream.say.send("data: one\n\ndata: t").unwrap();
    stream.hear("data: t").await;
    let begun = Instant::now();
    stream.gateway.stop.cancel();
    stream.gateway.tasks.close();
    stream.say.send("wo\n").unwrap();
    stream.hear("wo\n").await;
    stream.say.send("\n").unwrap();
    let rest = read_all(&mut stream.client).await;
    assert!(rest.ends_with("\n\r\n0\r\n\r\n"), "{rest:?}");
    stream.gateway.tasks.wait().await;
    // Long before connections are cut.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_quiet_stream_ends_with_the_gateway_too() {
    let mut stream = Stream::open(30).await;
    stream.say.send("data: one\n\n").unwrap();
    stream.hear("data: one").await;
    stream.gateway.stop.cancel();
    let rest = read_all(&mut stream.client).await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}
