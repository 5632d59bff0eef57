//! Raw HTTP/1.1 through hyper to the gateway, byte by byte as a hostile client writes it.

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use crate::house::House;

/// Writes these bytes on one connection and reads all answers.
pub(crate) async fn exchange(house: &House, bytes: &[u8]) -> String {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let service = plaza_web::outermost(house.gateway.router(), house.clock.clone());
    let service = service.map_request(|request: Request<Incoming>| request.map(axum::body::Body::new));
    let service = TowerToHyperService::new(service);
    let serving = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), service);
    let talking = async {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = Vec::new();
        let _ = client.read_to_end(&mut answers).await;
        String::from_utf8_lossy(&answers).into_owned()
    };
    tokio::join!(serving, talking).1
}

/// The status of each answer on the connection.
pub(crate) fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}
