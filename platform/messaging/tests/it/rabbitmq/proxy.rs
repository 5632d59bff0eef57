//! A wire between us and the broker that can be cut.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// They go through.
    Whole,
    /// Those that are there are cut, new ones are refused.
    Cut,
    /// Nothing gets through, and nobody is told.
    Silent,
}

pub(crate) struct Proxy {
    wire: Arc<watch::Sender<Wire>>,
    url: SecretString,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Before the broker at this URL.
    pub(crate) async fn before(url: &SecretString) -> Self {
        let url = url.expose_secret();
        let (login, place) = url.rsplit_once('@').unwrap();
        let (broker, vhost) = place.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let wire = Arc::new(watch::Sender::new(Wire::Whole));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, broker.to_owned(), Arc::clone(&wire)));
        Self {
            wire,
            url: format!("{login}@{own}/{vhost}").into(),
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> SecretString {
        self.url.clone()
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn accept(listener: TcpListener, broker: String, wire: Arc<watch::Sender<Wire>>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        connections.spawn(carry(client, broker.clone(), wire.subscribe()));
    }
}

async fn carry(mut client: TcpStream, broker: String, mut wire: watch::Receiver<Wire>) {
    if *wire.borrow() == Wire::Cut {
        return;
    }
    let mut server = TcpStream::connect(broker).await.unwrap();
    loop {
        let now = *wire.borrow_and_update();
        tokio::select! {
            changed = wire.changed() => if changed.is_err() || *wire.borrow() == Wire::Cut { return },
            _ = copy_bidirectional(&mut client, &mut server), if now == Wire::Whole => return,
        }
    }
}
