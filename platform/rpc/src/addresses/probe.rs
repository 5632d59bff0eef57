//! Asking an address whether it is ready: `GET /readyz`, on a connection of its own each time, so that the answer also
//! says whether one can be had.

use std::pin::pin;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use super::Addresses;

pub(super) async fn ask_forever(addresses: Addresses, index: usize) {
    let settings = addresses.settings();
    let mut ticks = tokio::time::interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Some(uri) = addresses.uris().nth(index).cloned() else {
        return;
    };
    loop {
        ticks.tick().await;
        let answer = tokio::time::timeout(settings.timeout, is_ready(&uri)).await;
        addresses.answered(index, matches!(answer, Ok(Some(true))));
    }
}

/// None when nobody answers.
async fn is_ready(uri: &Uri) -> Option<bool> {
    let authority = uri.authority()?.as_str();
    let stream = TcpStream::connect(authority).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/readyz")
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    // The connection works only while it is polled; nothing but the head of the answer is of interest.
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    };
    answer.ok().map(|answer| answer.status().is_success())
}
