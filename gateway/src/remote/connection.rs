//! One connection to an address. Nobody drives it in the background: whoever uses it polls it, so that a request and
//! its answer stay on the task (and the processor) of the client's connection, and dropping it is the end of it.

use std::error::Error;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::TcpStream as Watched;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use plaza_web::{ApiError, unreadable_body};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::error::ConnectError;
use super::pool::Open;
use super::upload::Progress;

/// The longest head of an answer, and what is read of a body at a time.
const BUFFER: usize = 64 << 10;

/// Why a request on a connection has no answer.
pub(super) enum Lost {
    /// The connection ended before it took the request, which is here again.
    Unsent(Box<http::Request<Body>>),
    /// The request was taken, perhaps sent; then the connection ended.
    Broken(hyper::Error),
    /// The client's body could not be read.
    Client(ApiError),
    /// Nothing came until the deadline.
    Late,
}

/// Until when the head of the answer has to be here.
pub(super) struct Patience {
    pub(super) until: Instant,
    /// How long a body that is being sent may stand still.
    pub(super) limit: Duration,
    pub(super) upload: Option<Arc<Progress>>,
}

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    // None once it has ended: what it did not take is then handed back.
    driver: Option<http1::Connection<TokioIo<TcpStream>, Body>>,
    // The same socket once more, to be looked at without being read.
    watched: Watched,
    // Kept from request to request: moving a timer that runs costs nothing, making one takes a lock.
    timer: Pin<Box<Sleep>>,
    _open: Open,
}

impl Connection {
    /// Connects.
    pub(super) async fn open(
        uri: &http::Uri,
        within: Duration,
        open: Open,
    ) -> Result<Box<Self>, ConnectError> {
        // Host and port; addresses are checked to have both.
        let address = uri.authority().map_or("", http::uri::Authority::as_str);
        let stream = tokio::time::timeout(within, TcpStream::connect(address))
            .await
            .map_err(|_| ConnectError::Silent(within))?
            .map_err(ConnectError::Refused)?;
        // Requests are written whole; waiting to fill a packet only makes them late.
        stream.set_nodelay(true).map_err(ConnectError::Refused)?;
        let watched = stream
            .as_fd()
            .try_clone_to_owned()
            .map_err(ConnectError::Refused)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER).max_header_size(BUFFER);
        let (sender, driver) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Handshake)?;
        Ok(Box::new(Self {
            sender,
            driver: Some(driver),
            watched: Watched::from(watched),
            timer: Box::pin(tokio::time::sleep(within)),
            _open: open,
        }))
    }

    /// Lets it read and write what it can.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        // How it ended is told to whoever waits for an answer or reads a body.
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(cx).is_ready()
        {
            self.driver = None;
        }
    }

    /// Whether the last request is over, both ways, and another one can follow.
    pub(super) fn is_ready(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Whether it survived the time that nobody looked at it.
    pub(super) async fn is_alive(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            Poll::Ready(self.is_ready())
        })
        .await
    }

    /// Whether the other end said nothing, not even that it is gone. Asks the system itself: the runtime may not have
    /// heard yet, and a request that cannot be repeated must not be written to a connection that has ended.
    pub(super) fn is_quiet(&self) -> bool {
        let looked = self.watched.peek(&mut [0]);
        looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Body>,
        patience: &Patience,
    ) -> Result<http::Response<Incoming>, Lost> {
        self.arm(patience.until);
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            self.drive(cx);
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(lost));
            }
            ready!(self.poll_late(cx, |deadline| {
                let upload = patience.upload.as_ref();
                upload.and_then(|upload| upload.more_time(deadline, patience.limit))
            }));
            Poll::Ready(Err(Lost::Late))
        })
        .await
    }

    /// Sets the timer.
    pub(super) fn arm(&mut self, until: Instant) {
        self.timer.as_mut().reset(until);
    }

    /// Ready once the timer has run out and is not moved on.
    pub(super) fn poll_late(
        &mut self,
        cx: &mut Context<'_>,
        mut moved: impl FnMut(Instant) -> Option<Instant>,
    ) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            match moved(self.timer.deadline()) {
                Some(until) => self.arm(until),
                None => return Poll::Ready(()),
            }
        }
    }
}

fn lost(mut error: hyper::client::conn::TrySendError<http::Request<Body>>) -> Lost {
    if let Some(request) = error.take_message() {
        return Lost::Unsent(Box::new(request));
    }
    let error = error.into_error();
    // Only bodies fail with this type; the rest is the connection's.
    match error.source() {
        Some(cause) if cause.is::<axum::Error>() => Lost::Client(unreadable_body(&error)),
        _ => Lost::Broken(error),
    }
}
