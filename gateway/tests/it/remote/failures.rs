//! Services that are away, slow, or break off: what was not sent goes elsewhere, what was sent is not sent twice unless it
//! only asks, and whoever waits hears so in time.

use std::time::{Duration, Instant};

use http::Method;
use plaza_gateway::{GatewayError, GatewaySettings, RemoteSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::elsewhere::{Served, body_of, impatient, ok, settings, status_of};
use crate::house::{Answer, House};
use crate::rough::{Rough, Talk, nobody};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn before(service: &Rough) -> House {
    House::before_addresses(impatient(), std::slice::from_ref(&service.uri))
}

async fn get(house: &House) -> Answer {
    house.call(Method::GET, "localhost", "/setup").await
}

async fn post(house: &House) -> Answer {
    house.call(Method::POST, "localhost", "/webhooks/meta").await
}

fn assert_problem(answer: &Answer, code: &str) {
    assert_eq!(answer.problem(), (503, code.to_owned()));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable_and_back_at_once() {
    let uri = nobody().await;
    let house = House::before_addresses(impatient(), std::slice::from_ref(&uri));
    for _ in 0..5 {
        assert_problem(&get(&house).await, "UPSTREAM_UNAVAILABLE");
        assert_problem(&post(&house).await, "UPSTREAM_UNAVAILABLE");
    }
    assert_eq!(house.gateway.unreachable().len(), 2);
    let address = uri.authority().unwrap().as_str().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(8).unwrap();
    let (stop, tasks) = (Default::default(), tokio_util::task::TaskTracker::new());
    let serving = plaza_web::server::serve(
        listener,
        ok("back"),
        plaza_web::server::ServerSettings::default(),
        house.clock.clone(),
        stop,
        &tasks,
    );
    tokio::select! {
        () = serving => unreachable!("nobody stops it"),
        answer = post(&house) => assert_eq!(answer.status, 200),
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_given_up() {
    // A queue that is full takes no more: the system neither refuses nor answers.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let house = House::before_addresses(impatient(), &[crate::rough::uri_of(&listener)]);
    let begun = Instant::now();
    assert_problem(&post(&house).await, "UPSTREAM_UNAVAILABLE");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_service_that_says_nothing_is_given_up_at_the_deadline() {
    let service = Rough::start(|_, mut talk: Talk| async move { talk.until_gone().await }).await;
    let house = before(&service);
    for answer in [get(&house).await, post(&house).await] {
        assert_problem(&answer, "UPSTREAM_TIMEOUT");
    }
    // Not asked again: the time is over. The connection of somebody who was given up is not used again.
    assert_eq!(service.connections(), 2);
}

#[tokio::test]
async fn a_route_may_have_more_time_than_others() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        loop {
            talk.request().await?;
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            talk.say(OK).await?;
        }
    })
    .await;
    let folder = std::env::temp_dir().join(format!("plaza-routes-{}.yaml", std::process::id()));
    let routes = "routes:\n  - {path: /setup, target_url: 'service:identity', auth_required: false, timeout_seconds: 60}\n  \
                  - {path: /webhooks, target_url: 'service:notification', auth_required: false}\n";
    std::fs::write(&folder, routes).unwrap();
    let settings = GatewaySettings {
        routes_file: Some(folder.clone()),
        ..impatient()
    };
    let house = House::before_addresses(settings, std::slice::from_ref(&service.uri));
    std::fs::remove_file(folder).unwrap();
    let (patient, impatient) = tokio::join!(get(&house), post(&house));
    assert_eq!(patient.status, 200);
    assert_problem(&impatient, "UPSTREAM_TIMEOUT");
}

#[tokio::test]
async fn a_question_that_was_cut_off_is_asked_once_more() {
    let service = Rough::start(|number, mut talk: Talk| async move {
        talk.request().await?;
        if number == 0 {
            return talk.reset();
        }
        talk.say(OK).await?;
        talk.until_gone().await
    })
    .await;
    assert_eq!(get(&before(&service)).await.status, 200);
    assert_eq!(service.requests(), 2);
}

#[tokio::test]
async fn a_question_that_is_always_cut_off_is_asked_twice_and_an_order_once() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        talk.reset()
    })
    .await;
    let house = before(&service);
    assert_problem(&get(&house).await, "UPSTREAM_INTERRUPTED");
    assert_eq!(service.requests(), 2);
    assert_problem(&post(&house).await, "UPSTREAM_INTERRUPTED");
    assert_eq!(service.requests(), 3);
}

#[tokio::test]
async fn a_service_in_trouble_gets_a_fifth_more_requests_not_twice_as_many() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        talk.reset()
    })
    .await;
    let house = before(&service);
    for _ in 0..600 {
        assert_problem(&get(&house).await, "UPSTREAM_INTERRUPTED");
    }
    // The fifth, and what was saved before.
    assert!(
        (700..=600 + 120 + 100).contains(&service.requests()),
        "{}",
        service.requests()
    );
}

#[tokio::test]
async fn a_service_that_closes_unused_connections_at_once_loses_no_request() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        talk.say(OK).await
    })
    .await;
    let house = before(&service);
    for _ in 0..100 {
        assert_eq!(post(&house).await.status, 200);
        assert_eq!(get(&house).await.status, 200);
    }
    assert!(service.requests() >= 200);
}

/// A service on a thread of its own: answers the first connections once each and closes them when told, all behind the
/// back of a runtime whose thread is kept busy meanwhile; later ones are answered for good.
fn closing_unseen(first: usize) -> (http::Uri, impl FnOnce()) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let (close, told) = std::sync::mpsc::channel::<()>();
    let (closed, heard) = std::sync::mpsc::channel::<()>();
    let answer = |stream: &mut std::net::TcpStream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        stream.write_all(OK.as_bytes())
    };
    std::thread::spawn(move || {
        let mut streams: Vec<_> = (0..first).map(|_| listener.accept().unwrap().0).collect();
        streams.iter_mut().for_each(|stream| answer(stream).unwrap());
        told.recv().unwrap();
        drop(streams);
        closed.send(()).unwrap();
        let mut kept = listener.accept().unwrap().0;
        while answer(&mut kept).is_ok() {}
    });
    (uri, move || {
        close.send(()).unwrap();
        heard.recv().unwrap();
    })
}

#[tokio::test]
async fn an_order_is_not_written_to_a_connection_whose_end_was_not_heard_of_yet() {
    let (uri, close) = closing_unseen(1);
    let house = House::before_addresses(impatient(), &[uri]);
    assert_eq!(post(&house).await.status, 200);
    close();
    assert_eq!(post(&house).await.status, 200);
}

#[tokio::test]
async fn a_question_survives_connections_whose_end_was_not_heard_of_yet() {
    let (uri, close) = closing_unseen(2);
    let house = House::before_addresses(impatient(), &[uri]);
    let (one, other) = tokio::join!(get(&house), get(&house));
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
    close();
    assert_eq!(get(&house).await.status, 200);
}

/// What a client sees whose answer breaks off or stands still in the middle.
async fn half_an_answer(
    head: &'static str,
    end: impl Fn(Talk) -> bool + Copy + Send + Sync + 'static,
) -> String {
    let service = Rough::start(move |_, mut talk: Talk| async move {
        talk.request().await?;
        talk.say(head).await?;
        if end(talk) {
            Some(())
        } else {
            std::future::pending().await
        }
    })
    .await;
    let house = before(&service);
    let gateway = Served::gateway(&house).await;
    let answer = gateway
        .exchange("GET /setup HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(service.requests(), 1);
    answer
}

#[tokio::test]
async fn half_an_answer_never_looks_whole() {
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n5\r\nof it\r\n";
    for head in [sized, chunked] {
        // Ends, resets.
        for end in [|_| true, |talk: Talk| talk.reset().is_some()] {
            let answer = half_an_answer(head, end).await;
            // What came before the end may be lost with it.
            assert!([0, 200].contains(&status_of(&answer)), "{answer}");
            assert!(body_of(&answer).len() < 100, "{answer}");
            assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_stands_still_is_cut_off() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n")
            .await?;
        talk.until_gone().await
    })
    .await;
    let house = before(&service);
    let gateway = Served::gateway(&house).await;
    let answer = gateway
        .exchange("GET /setup HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(
        answer.contains("half") && !answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let (told, mut gone) = tokio::sync::mpsc::unbounded_channel();
    let service = Rough::start(move |_, mut talk: Talk| {
        let told = told.clone();
        async move {
            talk.request().await?;
            told.send("asked").unwrap();
            talk.until_gone().await?;
            told.send("gone").unwrap();
            Some(())
        }
    })
    .await;
    let house = House::before_addresses(GatewaySettings::default(), std::slice::from_ref(&service.uri));
    let gateway = Served::gateway(&house).await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client
        .write_all(b"GET /setup HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(gone.recv().await, Some("asked"));
    drop(client);
    assert_eq!(gone.recv().await, Some("gone"));
}

#[tokio::test]
async fn connections_to_an_address_are_bounded() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        talk.request().await?;
        talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            .await?;
        talk.until_gone().await
    })
    .await;
    let bounded = settings(RemoteSettings {
        connections: 1,
        ..RemoteSettings::default()
    });
    let house = House::before_addresses(bounded, std::slice::from_ref(&service.uri));
    let gateway = Served::gateway(&house).await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client
        .write_all(b"GET /setup HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    client.readable().await.unwrap();
    assert_problem(&get(&house).await, "UPSTREAM_UNAVAILABLE");
    // Another service has a limit of its own.
    assert!(house.gateway.unreachable().is_empty());
    assert_eq!(service.connections(), 1);
}

#[test]
fn limits_of_nothing_are_refused() {
    let nothing = settings(RemoteSettings {
        connections: 0,
        ..RemoteSettings::default()
    });
    let refused = House::with(nothing, ok("")).err();
    assert!(matches!(
        refused,
        Some(GatewayError::Setting {
            setting: "remote.connections",
            ..
        })
    ));
}
