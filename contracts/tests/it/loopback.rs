//! Hosted services behind a real socket, as the internal listener of a process serves them.

use std::net::SocketAddr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use plaza_rpc::{Addresses, HealthSettings, RpcListener};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use plaza_contracts::services::TENANCY;

/// Serves until dropped.
pub(crate) struct Loopback {
    pub(crate) address: SocketAddr,
    serving: JoinSet<()>,
    drain: CancellationToken,
}

impl Loopback {
    pub(crate) async fn serve(listener: RpcListener) -> Self {
        Self::serve_at("127.0.0.1:0".parse().unwrap(), listener).await
    }

    /// At the address of one that has gone, too.
    pub(crate) async fn serve_at(address: SocketAddr, service: RpcListener) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(128).unwrap();
        let (address, drain) = (listener.local_addr().unwrap(), CancellationToken::new());
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, service, drain.clone()));
        Self {
            address,
            serving,
            drain,
        }
    }

    /// The process behind the address is gone, with all that it was at.
    pub(crate) async fn kill(mut self) -> SocketAddr {
        self.serving.shutdown().await;
        self.address
    }

    /// The process ends as it should: it says so, answers what it was asked, and takes no more.
    pub(crate) async fn drain(mut self) -> SocketAddr {
        self.drain.cancel();
        while self.serving.join_next().await.is_some() {}
        self.address
    }
}

async fn accept(listener: TcpListener, service: RpcListener, drain: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(Ok((socket, _))) = drain.run_until_cancelled(listener.accept()).await {
        let (service, drain) = (TowerToHyperService::new(service.clone()), drain.clone());
        connections.spawn(async move {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(socket), service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = drain.cancelled() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
    }
    drop(listener);
    connections.join_all().await;
}

/// Tenancy, at these addresses.
pub(crate) fn at(addresses: &[SocketAddr]) -> Addresses {
    let uris = addresses
        .iter()
        .map(|address| format!("http://{address}").parse().unwrap());
    Addresses::new(TENANCY, uris.collect(), HealthSettings::default()).unwrap()
}
