//! Addresses that go, come back, hang and lie.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{GATEWAY, TENANCY};
use plaza_kernel::{Failure, Kind};
use plaza_rpc::{RpcError, RpcSettings, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::loopback::{Loopback, at};
use crate::scene::{client, directory, keys, listener, resolve};
use crate::stub_tenancy::StubTenancy;

/// A process that serves tenancy, and its stub.
async fn process() -> (Loopback, StubTenancy) {
    let stub = StubTenancy::default();
    let here = directory(RpcSettings::default(), &keys());
    here.host(TENANCY, stub.routes());
    (Loopback::serve(listener(&here)).await, stub)
}

async fn process_at(address: SocketAddr) -> Loopback {
    let here = directory(RpcSettings::default(), &keys());
    here.host(TENANCY, StubTenancy::default().routes());
    Loopback::serve_at(address, listener(&here)).await
}

fn caller(addresses: &[SocketAddr], deadline: Duration) -> TenancyClient<Transport> {
    let settings = RpcSettings {
        deadline,
        ..RpcSettings::default()
    };
    let elsewhere = directory(settings, &keys());
    elsewhere.locate(TENANCY, at(addresses));
    client(&elsewhere, GATEWAY)
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// An address that lets nobody in: its queue is full and nobody empties it.
async fn full() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    (address, listener, waiting)
}

fn is_unavailable(error: &RpcError) -> bool {
    error.kind() == Kind::Unavailable && error.code() == "SERVICE_UNAVAILABLE"
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_service_that_is_nowhere_is_unavailable() {
    let nowhere = client(&directory(RpcSettings::default(), &keys()), GATEWAY);
    assert!(is_unavailable(&resolve(&nowhere, "acme").await.unwrap_err()));
}

#[tokio::test]
async fn with_every_address_dead_the_answer_is_quick() {
    let client = caller(&[nobody().await, nobody().await, nobody().await], LONG);
    for _ in 0..5 {
        let begun = Instant::now();
        assert!(is_unavailable(&resolve(&client, "acme").await.unwrap_err()));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn with_an_address_that_lets_nobody_in_the_answer_comes_before_the_deadline() {
    let (address, _listener, _waiting) = full().await;
    let client = caller(&[address], Duration::from_millis(600));
    let begun = Instant::now();
    let error = resolve(&client, "acme").await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}: it was certainly not sent");
    assert!(
        begun.elapsed() < Duration::from_millis(800),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn an_address_that_lets_nobody_in_leaves_time_for_another() {
    let (address, _listener, _waiting) = full().await;
    let (good, _) = process().await;
    // Less than it takes to give up on the first for good.
    let client = caller(&[address, good.address], Duration::from_secs(1));
    for _ in 0..4 {
        assert_eq!(resolve(&client, "acme").await.unwrap(), "Acme");
    }
}

#[tokio::test]
async fn a_dead_address_costs_no_call() {
    let (good, _) = process().await;
    let client = caller(&[nobody().await, good.address, nobody().await], LONG);
    let mut failed = 0;
    for _ in 0..50 {
        failed += usize::from(resolve(&client, "acme").await.is_err());
    }
    // One more try, not two: while both dead ones are thought well, a call may meet both.
    assert!(failed <= 2, "{failed} of 50 failed");
    for _ in 0..50 {
        assert_eq!(resolve(&client, "acme").await.unwrap(), "Acme");
    }
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_costs_the_deadline_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = caller(&[listener.local_addr().unwrap()], Duration::from_millis(300));
    let begun = Instant::now();
    let error = resolve(&client, "acme").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_service_that_comes_back_is_found_again() {
    let (first, _) = process().await;
    let client = caller(&[first.address], LONG);
    assert_eq!(resolve(&client, "acme").await.unwrap(), "Acme");
    let address = first.kill().await;
    for _ in 0..20 {
        assert!(is_unavailable(&resolve(&client, "acme").await.unwrap_err()));
    }
    let _second = process_at(address).await;
    let begun = Instant::now();
    while resolve(&client, "acme").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(2), "not found again");
    }
}

/// Passes bytes on in both directions, until told to swallow those of the connections it has.
async fn swallowing(target: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, swallowed) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let (mut serving, muted) = (JoinSet::new(), Arc::clone(&swallowed));
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        for number in 1.. {
            let (inbound, _) = listener.accept().await.unwrap();
            let outbound = TcpStream::connect(target).await.unwrap();
            let ((from, to), (back_from, back_to)) = (inbound.into_split(), outbound.into_split());
            for (mut from, mut to) in [(from, back_to), (back_from, to)] {
                let muted = Arc::clone(&muted);
                connections.spawn(async move {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes).await {
                        if number > muted.load(Ordering::SeqCst)
                            && to.write_all(&bytes[..read]).await.is_err()
                        {
                            return;
                        }
                    }
                });
            }
        }
    });
    (address, swallowed, serving)
}

#[tokio::test]
async fn a_connection_that_fell_silent_is_replaced() {
    let (process, _) = process().await;
    let (address, swallowed, _serving) = swallowing(process.address).await;
    let client = caller(&[address], Duration::from_millis(1_500));
    assert_eq!(resolve(&client, "acme").await.unwrap(), "Acme");
    swallowed.store(1, Ordering::SeqCst);
    let late = resolve(&client, "acme").await.unwrap_err();
    assert_eq!(late.kind(), Kind::DeadlineExceeded);
    assert_eq!(
        resolve(&client, "acme").await.unwrap(),
        "Acme",
        "on a new connection"
    );
}

#[tokio::test]
async fn an_idle_connection_that_fell_silent_is_noticed() {
    let (process, _) = process().await;
    let (address, swallowed, _serving) = swallowing(process.address).await;
    let client = caller(&[address], Duration::from_millis(300));
    assert_eq!(resolve(&client, "acme").await.unwrap(), "Acme");
    swallowed.store(1, Ordering::SeqCst);
    let begun = Instant::now();
    // Deadlines so short say nothing of the connection; its pings do.
    while resolve(&client, "acme").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "not noticed");
    }
}

#[tokio::test]
async fn a_call_that_was_sent_is_not_sent_again() {
    let ((one, at_one), (other, at_other)) = (process().await, process().await);
    let client = caller(&[one.address, other.address], LONG);
    let begun = || at_one.begun.load(Ordering::SeqCst) + at_other.begun.load(Ordering::SeqCst);
    let mut calls = JoinSet::new();
    calls.spawn(async move { resolve(&client, "slow").await });
    while begun() == 0 {
        tokio::task::yield_now().await;
    }
    // Whichever has it dies over it.
    let survivor = if at_one.begun.load(Ordering::SeqCst) == 1 {
        one.kill().await;
        (other, at_other.clone())
    } else {
        other.kill().await;
        (one, at_one.clone())
    };
    let error = calls.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    assert_eq!(survivor.1.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn processes_that_end_as_they_should_cost_no_call() {
    let mut processes = vec![process().await.0, process().await.0];
    let addresses: Vec<_> = processes.iter().map(|process| process.address).collect();
    let client = Arc::new(caller(&addresses, LONG));
    let stop = tokio_util::sync::CancellationToken::new();
    let mut callers = JoinSet::new();
    for worker in 0..8 {
        let (client, stop) = (Arc::clone(&client), stop.clone());
        callers.spawn(async move {
            let mut answered = 0_usize;
            while !stop.is_cancelled() {
                let slug = if worker % 2 == 0 { "acme" } else { "lazy" };
                resolve(&client, slug).await.unwrap();
                answered += 1;
            }
            answered
        });
    }
    for _ in 0..10 {
        let address = processes.remove(0).drain().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        processes.push(process_at(address).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    let answered: usize = callers.join_all().await.into_iter().sum();
    println!("{answered} calls over 10 restarts, none failed");
    assert!(answered > 100);
}
