//! The size limit of messages, either way. Reads the length that each gRPC message declares (1 byte of flags, 4 bytes
//! of length, big endian), so that a message that is too long is refused before any of it is kept.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use plaza_kernel::Kind;
use tonic::Status;
use tonic::body::Body;

use crate::status;

/// How the far side learns that a message is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// As an error of the body: tonic's server answers it.
    Error,
    /// As trailers: the only way to tell the client over a network.
    Trailers,
}

/// A body whose messages are at most so long.
pub(crate) struct MessageLimit {
    body: Body,
    limit: usize,
    refusal: Refusal,
    prefix: [u8; 5],
    prefix_read: usize,
    message_left: usize,
    over: bool,
}

impl MessageLimit {
    /// Around what comes in.
    pub(crate) fn of_request(body: Body, limit: usize) -> Self {
        Self::new(body, limit, Refusal::Error)
    }

    /// Around what goes out.
    pub(crate) fn of_response(body: Body, limit: usize) -> Self {
        Self::new(body, limit, Refusal::Trailers)
    }

    fn new(body: Body, limit: usize, refusal: Refusal) -> Self {
        Self {
            body,
            limit,
            refusal,
            prefix: [0; 5],
            prefix_read: 0,
            message_left: 0,
            over: false,
        }
    }

    /// Walks over a chunk, which may hold parts of several messages. False when one is too long.
    fn acceptable(&mut self, mut chunk: &[u8]) -> bool {
        while !chunk.is_empty() {
            let passed = self.message_left.min(chunk.len());
            self.message_left -= passed;
            chunk = &chunk[passed..];
            if chunk.is_empty() {
                break;
            }
            let taken = (self.prefix.len() - self.prefix_read).min(chunk.len());
            self.prefix[self.prefix_read..self.prefix_read + taken].copy_from_slice(&chunk[..taken]);
            self.prefix_read += taken;
            chunk = &chunk[taken..];
            if self.prefix_read == self.prefix.len() {
                let [_, length @ ..] = self.prefix;
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if length > self.limit {
                    return false;
                }
                (self.message_left, self.prefix_read) = (length, 0);
            }
        }
        true
    }

    fn refuse(&mut self) -> Result<Frame<Bytes>, Status> {
        self.over = true;
        let status = too_large();
        if self.refusal == Refusal::Error {
            return Err(status);
        }
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers)?;
        Ok(Frame::trailers(trailers))
    }
}

fn too_large() -> Status {
    status::status(Kind::TooLarge, "MESSAGE_TOO_LARGE", "the message is too large")
}

impl HttpBody for MessageLimit {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(chunk) = frame.data_ref()
            && !self.acceptable(chunk)
        {
            return Poll::Ready(Some(self.refuse()));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.extend(std::iter::repeat_n(7, length as usize));
        bytes
    }

    async fn passes(bytes: &[u8], chunk: usize, limit: usize) -> bool {
        let chunks: Vec<_> = bytes
            .chunks(chunk)
            .map(|part| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(part))))
            .collect();
        let body = Body::new(StreamBody::new(futures_util::stream::iter(chunks)));
        MessageLimit::of_request(body, limit).collect().await.is_ok()
    }

    #[tokio::test]
    async fn messages_up_to_the_limit_pass_however_they_are_cut() {
        let two = [message(10), message(0), message(10)].concat();
        for chunk in 1..two.len() + 1 {
            assert!(passes(&two, chunk, 10).await, "in chunks of {chunk}");
            assert!(!passes(&two, chunk, 9).await, "in chunks of {chunk}");
        }
    }

    #[tokio::test]
    async fn a_declared_length_is_enough_to_refuse() {
        assert!(!passes(&[0, 0xff, 0xff, 0xff, 0xff], 5, 4 << 20).await);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_ends_in_trailers() {
        let body = Body::new(http_body_util::Full::new(Bytes::from(message(11))));
        let collected = MessageLimit::of_response(body, 10).collect().await.unwrap();
        let trailers = collected.trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "8");
        assert_eq!(trailers["plaza-code"], "MESSAGE_TOO_LARGE");
    }
}
