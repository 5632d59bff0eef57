//! The connection to one address.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::uri::Authority;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CONNECT: Duration = Duration::from_secs(1);
// A peer that vanished without a word is noticed after the sum of both.
const PING_EVERY: Duration = Duration::from_secs(3);
const PING_WAIT: Duration = Duration::from_secs(2);

/// A way into a connection.
#[derive(Clone)]
pub(super) struct Numbered {
    pub(super) sender: SendRequest<Full<Bytes>>,
    number: u64,
}

/// One connection at a time, shared by all calls, made when it is needed.
pub(super) struct Link {
    authority: Authority,
    live: Mutex<Live>,
    /// Held by whoever connects; in it, when the last attempt failed.
    connecting: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Live {
    sender: Option<Numbered>,
    /// How many there have been.
    made: u64,
    /// Former connections among them, on which calls may still be answered. They end with the link.
    connections: JoinSet<()>,
}

impl Link {
    /// None when the address has no host.
    pub(super) fn new(uri: &Uri) -> Option<Self> {
        Some(Self {
            authority: uri.authority()?.clone(),
            live: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The connection, or a new one within a second or the time given. None when there is none to be had.
    pub(super) async fn sender(&self, patience: Option<Duration>) -> Option<Numbered> {
        if let Some(sender) = self.live() {
            return Some(sender);
        }
        let begun = Instant::now();
        let patience = patience.map_or(CONNECT, |patience| patience.min(CONNECT));
        tokio::time::timeout(patience, self.connect_once(begun))
            .await
            .ok()?
    }

    /// One attempt serves everybody who waits, whichever way it ends.
    async fn connect_once(&self, begun: Instant) -> Option<Numbered> {
        let mut failed = self.connecting.lock().await;
        if let Some(sender) = self.live() {
            return Some(sender);
        }
        if failed.is_some_and(|failed| failed >= begun) {
            return None;
        }
        match self.connect().await {
            Ok(sender) => Some(sender),
            Err(error) => {
                tracing::debug!(address = %self.authority, error = &*error, "no connection");
                *failed = Some(Instant::now());
                None
            }
        }
    }

    async fn connect(&self) -> Result<Numbered, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.authority.as_str()).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WAIT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        while live.connections.try_join_next().is_some() {}
        live.connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
            }
        });
        live.made += 1;
        let numbered = Numbered {
            sender,
            number: live.made,
        };
        live.sender = Some(numbered.clone());
        Ok(numbered)
    }

    /// A connection that takes no calls any more is none.
    fn live(&self) -> Option<Numbered> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let open = live.sender.as_ref().filter(|open| !open.sender.is_closed());
        open.cloned()
    }

    /// Takes no more calls to a connection that failed one. A newer one stays.
    pub(super) fn forget(&self, failed: &Numbered) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live
            .sender
            .as_ref()
            .is_some_and(|open| open.number == failed.number)
        {
            live.sender = None;
        }
    }
}
