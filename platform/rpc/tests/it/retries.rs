//! When a call goes to another address: only when the first certainly did not take it up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use plaza_rpc::{Addresses, Directory, HealthSettings, RpcSettings, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::forge::{ACCESS, FRONT};

/// What a process does with the calls it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    /// Resets the stream with this reason.
    Resets(Reason),
    /// Says that it takes no calls after this one, and ends.
    GoesAway,
    /// Says, with a call in hand, that it has taken none.
    TookNone,
    /// Closes the connection with a call in hand.
    HangsUp,
    /// Takes none on its first connection, and answers on the next.
    Restarts,
    /// Begins an answer and resets it.
    BreaksOff,
}

struct Process {
    address: SocketAddr,
    /// Calls that reached it.
    calls: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Process {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let mut serving = JoinSet::new();
        let counted = Arc::clone(&calls);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                match manner {
                    Manner::TookNone => connections.spawn(take_none(stream, counted)),
                    Manner::Restarts if connections.is_empty() => {
                        connections.spawn(take_none(stream, counted))
                    }
                    Manner::Restarts => connections.spawn(serve(stream, Manner::Answers, counted)),
                    other => connections.spawn(serve(stream, other, counted)),
                };
            }
        });
        Self {
            address,
            calls,
            _serving: serving,
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, manner: Manner, calls: Arc<AtomicUsize>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        calls.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.headers()["te"], "trailers");
        match manner {
            Manner::Answers => drop(answer(&mut respond)),
            Manner::Resets(reason) => respond.send_reset(reason),
            Manner::TookNone | Manner::Restarts => unreachable!("h2 takes what it gets"),
            Manner::GoesAway => connection.abrupt_shutdown(Reason::NO_ERROR),
            Manner::HangsUp => return,
            Manner::BreaksOff => {
                let head = Response::builder().header("content-type", "application/grpc");
                let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                body.send_data(Bytes::from_static(b"\0"), false).unwrap();
                body.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    }
}

/// Frames by hand (RFC 9113, sections 4.1, 6.5 and 6.8): our settings; and once headers came, a GOAWAY whose last stream is
/// none.
async fn take_none(mut stream: TcpStream, calls: Arc<AtomicUsize>) {
    const HEADERS: u8 = 1;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == HEADERS {
            break;
        }
    }
    calls.fetch_add(1, Ordering::SeqCst);
    let goaway = [&[0, 0, 8, 7, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    stream.write_all(&goaway).await.unwrap();
    // Until the other side has understood.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

fn answer(respond: &mut h2::server::SendResponse<Bytes>) -> h2::SendStream<Bytes> {
    let head = Response::builder().header("content-type", "application/grpc");
    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    body.send_trailers(trailers).unwrap();
    body
}

fn way(processes: &[&Process]) -> Transport {
    let uris = processes
        .iter()
        .map(|process| format!("http://{}", process.address).parse().unwrap());
    let patient = HealthSettings {
        failures: u32::MAX,
        ..HealthSettings::default()
    };
    let directory = Directory::new(RpcSettings {
        deadline: Duration::from_secs(30),
        ..RpcSettings::default()
    });
    directory.locate(ACCESS, Addresses::new(ACCESS, uris.collect(), patient).unwrap());
    directory.acting_as(FRONT).transport(ACCESS)
}

/// The gRPC status of a call.
async fn call(way: &Transport) -> String {
    let request = Request::post("/plaza.access.v1.Access/Grants")
        .header("te", "trailers")
        .body(Body::new(Full::new(Bytes::from_static(b"\0\0\0\0\0"))))
        .unwrap();
    let mut way = way.clone();
    let response = way.ready().await.unwrap().call(request).await.unwrap();
    if let Some(status) = response.headers().get("grpc-status") {
        return status.to_str().unwrap().to_owned();
    }
    match response.into_body().collect().await {
        Ok(body) => body.trailers().unwrap()["grpc-status"]
            .to_str()
            .unwrap()
            .to_owned(),
        Err(status) => (status.code() as i32).to_string(),
    }
}

const OK: &str = "0";
const UNAVAILABLE: &str = "14";

#[tokio::test]
async fn what_was_not_taken_up_goes_to_another_address() {
    for manner in [
        Manner::Resets(Reason::REFUSED_STREAM),
        Manner::TookNone,
        Manner::Answers,
    ] {
        let (bad, good) = (
            Process::start(manner).await,
            Process::start(Manner::Answers).await,
        );
        let way = way(&[&bad, &good]);
        for _ in 0..20 {
            assert_eq!(call(&way).await, OK, "{manner:?}");
        }
        assert!(bad.calls() > 0 && good.calls() > 0, "{manner:?}");
    }
}

#[tokio::test]
async fn what_may_have_been_worked_on_goes_nowhere_else() {
    let manners = [
        Manner::Resets(Reason::INTERNAL_ERROR),
        Manner::Resets(Reason::CANCEL),
        Manner::HangsUp,
        Manner::GoesAway,
        Manner::BreaksOff,
    ];
    for manner in manners {
        let (bad, good) = (
            Process::start(manner).await,
            Process::start(Manner::Answers).await,
        );
        let way = way(&[&bad, &good]);
        let mut failed = 0;
        for _ in 0..10 {
            failed += usize::from(call(&way).await == UNAVAILABLE);
        }
        assert!(bad.calls() > 0, "{manner:?}");
        assert_eq!(failed, bad.calls(), "{manner:?}: a failed call was repeated");
        assert_eq!(bad.calls() + good.calls(), 10, "{manner:?}");
    }
}

#[tokio::test]
async fn one_that_refuses_everything_gets_a_call_twice_at_most() {
    let bad = Process::start(Manner::Resets(Reason::REFUSED_STREAM)).await;
    assert_eq!(call(&way(&[&bad])).await, UNAVAILABLE);
    assert_eq!(bad.calls(), 2);
}

/// Many times and on several threads: the connection may end before, while, or after the call is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_that_restarts_at_its_address_costs_no_call() {
    for _ in 0..100 {
        let process = Process::start(Manner::Restarts).await;
        let way = way(&[&process]);
        for _ in 0..3 {
            assert_eq!(call(&way).await, OK);
        }
        assert_eq!(process.calls(), 4, "one of them was not taken, and sent again");
    }
}
