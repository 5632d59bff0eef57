//! What a check costs, and what a call. `cargo nextest run -p plaza-contracts --release --no-capture latency` prints it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use plaza_contracts::access::Permissions;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{GATEWAY, TENANCY};
use plaza_kernel::{Clock, TenantId, UserId};
use plaza_rpc::{RpcSettings, Transport};

use crate::loopback::{Loopback, at};
use crate::scene::{client, directory, keys, listener, resolve};
use crate::stub_access::StubAccess;
use crate::stub_tenancy::StubTenancy;

const MEMBERS: usize = 1_000;
const SAMPLES: usize = 100_000;

#[tokio::test]
async fn a_warm_check_asks_nobody_and_takes_nanoseconds() {
    let (clock, access) = (Clock::system(), StubAccess::default());
    access.grant(0b1);
    let permissions = Permissions::new(access.transport(), clock.clone());
    let members: Vec<(TenantId, UserId)> = (0..MEMBERS)
        .map(|_| (TenantId::generate(&clock), UserId::generate(&clock)))
        .collect();
    let warm = |(tenant, user): &(TenantId, UserId)| permissions.permissions_of(*tenant, *user);
    for answer in futures_util::future::join_all(members.iter().map(warm)).await {
        assert!(answer.is_ok());
    }
    let (mut nanoseconds, mut allowed) = (Vec::with_capacity(SAMPLES), 0);
    for at in 0..SAMPLES {
        let (tenant, user) = members[at * 7 % MEMBERS];
        let begun = Instant::now();
        let set = black_box(permissions.try_permissions(black_box(tenant), black_box(user)));
        nanoseconds.push(begun.elapsed().as_nanos());
        allowed += usize::from(set.is_some_and(|set| set.contains(0)));
    }
    nanoseconds.sort_unstable();
    let (p50, p99) = (nanoseconds[SAMPLES / 2], nanoseconds[SAMPLES * 99 / 100]);
    println!("warm check: p50 {p50} ns, p99 {p99} ns, answered {allowed} of {SAMPLES}");
    // Optimised and on an idle machine the promise is 200 ns; others may be using this one.
    if cfg!(not(debug_assertions)) {
        assert!(p50 < 200, "p50 {p50} ns");
        assert!(p99 < 2_000, "p99 {p99} ns");
        assert_eq!(allowed, SAMPLES);
    }
}

const CALLS: usize = 2_000;

/// The median and the 99th percentile of calls one after the other.
async fn measure(client: &TenancyClient<Transport>) -> (Duration, Duration) {
    for _ in 0..CALLS / 10 {
        resolve(client, "acme").await.unwrap();
    }
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        black_box(resolve(client, "acme").await.unwrap());
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    (took[CALLS / 2], took[CALLS * 99 / 100])
}

#[tokio::test]
async fn a_call_in_process_costs_a_fraction_of_one_over_a_socket() {
    let keys = keys();
    let here = directory(RpcSettings::default(), &keys);
    here.host(TENANCY, StubTenancy::default().routes());
    let served = Loopback::serve(listener(&here)).await;
    let elsewhere = directory(RpcSettings::default(), &keys);
    elsewhere.locate(TENANCY, at(&[served.address]));
    let (near, near_tail) = measure(&client(&here, GATEWAY)).await;
    let (far, far_tail) = measure(&client(&elsewhere, GATEWAY)).await;
    let ratio = far.as_secs_f64() / near.as_secs_f64();
    println!("call in process: p50 {near:?}, p99 {near_tail:?}");
    println!("call over loopback: p50 {far:?}, p99 {far_tail:?}, {ratio:.1} times as long");
    // Nothing of the network may creep into the way in process, however busy the machine.
    assert!(far > near);
}
