//! Event streams have no end of their own: what a request is asked once, a stream is asked as long as it lasts. It is ended
//! between two events, so that browsers connect again and miss nothing of an event.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// How often it is asked whether somebody may go on listening.
pub const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Makes an answer that is an event stream end when this does. What is no stream goes on as it is, and nobody is asked.
pub fn ends_with<F>(response: Response, ending: impl FnOnce() -> F) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let media = response.headers().get(CONTENT_TYPE);
    let is_stream = media.is_some_and(|media| media.as_bytes().starts_with(b"text/event-stream"));
    // One that says its length has to keep its word.
    if !is_stream || response.body().size_hint().exact().is_some() {
        return response;
    }
    let ending = ending();
    response.map(|body| {
        Body::new(EventStream {
            body,
            ending: Box::pin(ending),
            ended: false,
            last: LastBytes::default(),
        })
    })
}

struct EventStream {
    body: Body,
    ending: BoxFuture<'static, ()>,
    ended: bool,
    last: LastBytes,
}

/// The last bytes that went by.
#[derive(Default)]
struct LastBytes([u8; 4]);

impl LastBytes {
    fn add(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(4);
        let last = &bytes[from..];
        self.0.rotate_left(last.len());
        self.0[4 - last.len()..].copy_from_slice(last);
    }

    /// Whether they are the end of an event, that is, a blank line.
    fn end_an_event(&self) -> bool {
        let last = &self.0;
        *last == [0; 4]
            || [&b"\n\n"[..], b"\r\r", b"\n\r\n"]
                .iter()
                .any(|end| last.ends_with(end))
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.last.end_an_event() && (self.ended || self.ending.as_mut().poll(cx).is_ready()) {
            self.ended = true;
            // Whoever made the stream is told that nobody listens any more.
            self.body = Body::empty();
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            self.last.add(bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_with_a_blank_line_however_it_arrives() {
        let ends = |pieces: &[&str]| {
            let mut last = LastBytes::default();
            for piece in pieces {
                last.add(piece.as_bytes());
            }
            last.end_an_event()
        };
        for pieces in [
            &[][..],
            &["data: 1\n\n"],
            &["data: 1\n", "\n"],
            &["data: 1\r\n\r\n"],
            &["data: 1\r", "\n\r", "\n"],
            &[": still here\r\r"],
        ] {
            assert!(ends(pieces), "{pieces:?}");
        }
        for pieces in [
            &["data: 1\n"][..],
            &["data: 1"],
            &["data: 1\n\n", "d"],
            &["data: 1\r\n"],
        ] {
            assert!(!ends(pieces), "{pieces:?}");
        }
    }
}
