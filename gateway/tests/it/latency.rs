//! What the gateway adds to a request that goes well.
//! `cargo nextest run -p plaza-gateway --release --no-capture a_warm_request` prints it.

use std::time::Instant;

use axum::body::Body;
use http::Method;
use plaza_gateway::GatewaySettings;
use tower::ServiceExt;

use crate::house::{House, request};

const SAMPLES: usize = 20_000;

#[tokio::test]
async fn a_warm_request_costs_microseconds_and_asks_nobody() {
    let upstream = axum::Router::new().fallback(async || "");
    let house = House::with(GatewaySettings::default(), upstream.clone()).unwrap();
    let (token, router) = (house.owner(), house.gateway.router());
    let make = || {
        let request = request(Method::GET, "localhost:8080", "/api/v1/auth/me");
        let request = request
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "application/json");
        request.header("user-agent", "wrk").body(Body::empty()).unwrap()
    };
    let mut medians = [0; 2];
    for (median, router) in medians.iter_mut().zip([upstream, router]) {
        let mut nanoseconds = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let request = make();
            let begun = Instant::now();
            assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 200);
            nanoseconds.push(begun.elapsed().as_nanos());
        }
        nanoseconds.sort_unstable();
        *median = nanoseconds[SAMPLES / 2];
    }
    println!(
        "warm request: upstream alone {} ns, through the gateway {} ns",
        medians[0], medians[1]
    );
    assert_eq!(
        (house.identity.keys_asked(), house.identity.sessions_asked()),
        (1, 1)
    );
    if cfg!(not(debug_assertions)) {
        assert!(medians[1] - medians[0] < 10_000, "{medians:?}");
    }
}
