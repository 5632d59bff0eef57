//! Services that do not behave: a listener on loopback whose connections do, byte by byte, what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// A listener that ends when dropped.
pub(crate) struct Rough {
    pub(crate) uri: Uri,
    seen: Arc<Seen>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

/// One connection to it.
pub(crate) struct Talk {
    stream: BufStream<TcpStream>,
    seen: Arc<Seen>,
}

impl Rough {
    /// Each connection does this; it is told which one it is, from 0.
    pub(crate) async fn start<F>(behave: impl Fn(usize, Talk) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = uri_of(&listener);
        let (seen, tasks) = (Arc::<Seen>::default(), TaskTracker::new());
        let shared = Arc::clone(&seen);
        let accepting = TaskTracker::new().spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let talk = Talk {
                    stream: BufStream::new(stream),
                    seen: Arc::clone(&shared),
                };
                tasks.spawn(behave(number, talk));
            }
        });
        Self {
            uri,
            seen,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Answers every request with these bytes.
    pub(crate) async fn saying(answer: &'static str) -> Self {
        Self::start(move |_, mut talk| async move {
            loop {
                talk.request().await?;
                talk.say(answer).await?;
            }
        })
        .await
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many heads of requests were read.
    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> Uri {
    uri_of(&TcpListener::bind("127.0.0.1:0").await.unwrap())
}

pub(crate) fn uri_of(listener: &TcpListener) -> Uri {
    let address = listener.local_addr().unwrap();
    format!("http://{address}").parse().unwrap()
}

impl Talk {
    /// The head of the next request; None when the other end is gone.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        self.seen.requests.fetch_add(1, Ordering::SeqCst);
        Some(String::from_utf8(head).unwrap())
    }

    /// As many bytes of a body.
    pub(crate) async fn body(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(body)
    }

    /// Writes this.
    pub(crate) async fn say(&mut self, bytes: &str) -> Option<()> {
        self.stream.write_all(bytes.as_bytes()).await.ok()?;
        self.stream.flush().await.ok()
    }

    /// Ends with a reset.
    pub(crate) fn reset(self) -> Option<()> {
        self.stream.into_inner().set_zero_linger().ok()
    }

    /// Waits until the other end is gone.
    pub(crate) async fn until_gone(&mut self) -> Option<()> {
        while self.stream.read_u8().await.is_ok() {}
        Some(())
    }
}
