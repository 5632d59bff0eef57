//! The connections to one address.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::connection::Connection;
use super::error::ConnectError;
use crate::RemoteSettings;

/// The connections to one address: how many there are, and those that nobody uses.
pub(super) struct Pool {
    open: Arc<AtomicUsize>,
    // The one that was used last is taken first, so that those which are too many grow old.
    idle: Mutex<VecDeque<Idle>>,
    most: u16,
    connect: Duration,
    keep: Duration,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// Counts a connection until it is dropped.
pub(super) struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    pub(super) fn new(settings: &RemoteSettings) -> Self {
        Self {
            open: Arc::default(),
            idle: Mutex::default(),
            most: settings.connections,
            connect: settings.connect(),
            keep: settings.idle(),
        }
    }

    /// A connection from before that is still good. With `careful`, one that the other end has not left the moment
    /// before.
    pub(super) async fn take(&self, now: Instant, careful: bool) -> Option<Box<Connection>> {
        while let Some(Idle {
            mut connection,
            since,
        }) = self.pop()
        {
            let fresh = now.saturating_duration_since(since) < self.keep;
            if fresh && connection.is_alive().await && (!careful || connection.is_quiet()) {
                return Some(connection);
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn connect(&self, uri: &Uri) -> Result<Box<Connection>, ConnectError> {
        let open = self.count()?;
        Connection::open(uri, self.connect, open).await
    }

    fn count(&self) -> Result<Open, ConnectError> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.open));
        if before < usize::from(self.most) {
            Ok(open)
        } else {
            Err(ConnectError::Busy(self.most))
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Box<Connection>) {
        let since = Instant::now();
        self.idle().push_back(Idle { connection, since });
    }

    /// Closes what nobody used for too long.
    pub(super) fn sweep(&self, now: Instant) {
        let mut idle = self.idle();
        let old = |idle: &Idle| now.saturating_duration_since(idle.since) >= self.keep;
        let fresh = idle.iter().position(|idle| !old(idle)).unwrap_or(idle.len());
        let swept: Vec<Idle> = idle.drain(..fresh).collect();
        // Closing sockets takes its time; nobody has to wait for it.
        drop(idle);
        drop(swept);
    }

    fn pop(&self) -> Option<Idle> {
        self.idle().pop_back()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
