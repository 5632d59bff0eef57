//! A socket that does not wait forever: not for the rest of a request's head, and not for a client that takes
//! nothing. hyper itself cannot tell the pause between two requests from a head that trickles in.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Activity;
use crate::body::Patience;

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI";

/// How long to take in what a client still sends after our last answer.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Socket {
    stream: TcpStream,
    activity: Arc<Activity>,
    head: Patience,
    // Which request the patience with a head belongs to.
    head_of: u64,
    write: Patience,
    linger: Patience,
    protocol: Protocol,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    // Its frames have no pauses that mean anything; its silence is watched by pings.
    Http2,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, head: Duration, stall: Duration) -> Self {
        Self {
            stream,
            activity,
            head: Patience::new(head),
            head_of: 0,
            write: Patience::new(stall),
            linger: Patience::new(LINGER),
            protocol: Protocol::Unknown,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if self.protocol == Protocol::Unknown {
            let second = bytes.starts_with(PREFACE);
            self.protocol = if second { Protocol::Http2 } else { Protocol::Http1 };
        }
        self.activity.received();
    }

    /// Nothing to read: fails if the rest of a head is overdue.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let begun = self.activity.begun();
        if self.head_of != begun {
            self.head_of = begun;
            self.head.restore();
        }
        if self.protocol == Protocol::Http2 || !self.activity.is_awaiting_head() {
            self.head.restore();
            return Poll::Pending;
        }
        self.head
            .poll_lost(cx)
            .map(|()| Err(too_slow("the head of a request did not arrive in time")))
    }

    /// Reads and forgets until the client has seen the end, or long enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waste = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.linger.poll_lost(cx).map(Ok),
            }
        }
    }

    fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            return self
                .write
                .poll_lost(cx)
                .map(|()| Err(too_slow("the client takes nothing")));
        }
        self.write.restore();
        written
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, what)
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                self.received(&buffer.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.poll_late(cx),
            ended => ended,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if self.activity.is_client_sending() {
            self.poll_linger(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }
}
