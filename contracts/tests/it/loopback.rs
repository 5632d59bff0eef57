//! A hosted service behind a real socket, as the internal listener of a process serves it.

use std::net::SocketAddr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use plaza_rpc::Transport;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tonic::body::Body;
use tower::ServiceExt;

/// Serves until dropped.
pub(crate) struct Loopback {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
    accepting: AbortHandle,
}

impl Loopback {
    pub(crate) async fn serve(callee: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let accepting = tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let callee = callee
                    .clone()
                    .map_request(|request: http::Request<_>| request.map(Body::new));
                connections.spawn(async move {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server
                        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(callee))
                        .await;
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
            accepting,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The process behind the address is gone.
    pub(crate) fn kill(&self) {
        self.accepting.abort();
    }
}
