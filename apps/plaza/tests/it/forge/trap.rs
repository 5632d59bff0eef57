//! An address that no one of ours has any reason to ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Counts who comes, until it is dropped.
pub(super) struct Trap {
    pub(super) url: String,
    sprung: Arc<AtomicUsize>,
    _waiting: AbortOnDropHandle<()>,
}

impl Trap {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sprung = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sprung);
        let waiting = TaskTracker::new().spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            url,
            sprung,
            _waiting: AbortOnDropHandle::new(waiting),
        }
    }

    /// How many came.
    pub(super) fn sprung(&self) -> usize {
        self.sprung.load(Ordering::SeqCst)
    }
}
