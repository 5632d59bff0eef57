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
/// And how much of it: as much as is on its way at 10 Gbit/s over 50 ms. A neighbour on a fast network that never stops to send
/// would get rid of twenty times as much in that time, on our processor.
const LINGER_BYTES: usize = 64 << 20;

pub(super) struct Socket {
    stream: TcpStream,
    activity: Arc<Activity>,
    head: Patience,
    // Which request the patience with a head belongs to.
    head_of: u64,
    write: Patience,
    linger: Patience,
    linger_bytes: usize,
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
            linger_bytes: LINGER_BYTES,
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

    /// Reads and forgets until the client has seen the end, or long enough, or enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The clock first: a client that never stops to send would use up what a task may do at a time, and the clock would
        // never be looked at.
        if self.linger.poll_lost(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; 4096];
        while self.linger_bytes > 0 {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.linger_bytes = self.linger_bytes.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_comes_after_the_last_answer_is_taken_in_up_to_an_amount_also_while_no_time_passes() {
        let forever = Duration::from_secs(3600);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (mut client, activity) = (client.unwrap(), Arc::<Activity>::default());
        activity.left_unread();
        let mut socket = Socket::new(accepted.unwrap().0, activity, forever, forever);
        socket.linger = Patience::new(forever);
        let pour = async {
            let (flood, mut sent) = (vec![b' '; 1 << 16], 0);
            while let Ok(taken) = client.write(&flood).await {
                sent += taken;
            }
            sent
        };
        let end = async {
            socket.shutdown().await.unwrap();
            drop(socket);
        };
        let both = async { tokio::join!(pour, end).0 };
        let sent = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        // What lies in the buffers of both sides comes on top.
        assert!((LINGER_BYTES..2 * LINGER_BYTES).contains(&sent), "{sent}");
    }
}
