//! Which headers cross the gateway. The same on every route, public ones too.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use plaza_contracts::edge::{ClientAddress, HostTenant};
use plaza_kernel::Caller;

/// Meant for the next hop only (RFC 9110 §7.6.1), or for an upgrade that is not offered here.
const HOP_BY_HOP: [HeaderName; 12] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("alt-svc"),
];

/// What `Connection` may not take away: without these a message means something else.
const NOT_FOR_CONNECTION: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE];

/// Beginnings of names that some program somewhere believes, as letters and digits only: `x-tenant-id`, `X_Tenant.ID`
/// and `xtenantid` are one name to us, because a program behind us may fold them in its own way.
const TRUSTED_X: [&[u8]; 20] = [
    b"xtenant",
    b"xuser",
    b"xsubdomain",
    b"xinternal",
    b"xplaza",
    b"xforwarded",
    b"xoriginal",
    b"xrewrite",
    b"xhttpmethod",
    b"xmethodoverride",
    b"xrealip",
    b"xclientip",
    b"xclusterclientip",
    b"xauth",
    b"xremote",
    b"xrole",
    b"xscope",
    b"xenvoy",
    b"xproxyuser",
    b"xaccount",
];
const TRUSTED_OTHER: [&[u8]; 9] = [
    b"forwarded",
    b"trueclientip",
    b"cfconnecting",
    b"fastlyclientip",
    b"remoteuser",
    b"remoteaddr",
    b"traceparent",
    b"tracestate",
    b"baggage",
];

/// Removes what a client must not tell the services: first what `Connection` names and the hop-by-hop headers, then
/// every name that might be believed, then what our own server left for programs that take over connections.
pub(crate) fn clean_request(parts: &mut Parts) {
    remove_hop_by_hop(&mut parts.headers);
    remove_all(&mut parts.headers, is_trusted_name);
    // Only the gateway says who asks.
    parts.extensions.remove::<Caller>();
    parts.extensions.remove::<HostTenant>();
    parts.extensions.remove::<ClientAddress>();
    parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
}

/// Removes what the services say to the gateway only.
pub(crate) fn clean_response(response: &mut Response) {
    let headers = response.headers_mut();
    remove_hop_by_hop(headers);
    remove_all(headers, |name| {
        let mut buffer = [0; SQUEEZED];
        let name = squeezed(name, &mut buffer);
        name.starts_with(b"xplaza") || name.starts_with(b"xinternal")
    });
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    // By bytes: one strange character in the line must not save the rest of it.
    let names = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    let names = names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    names.filter(|name| !NOT_FOR_CONNECTION.contains(name)).collect()
}

fn remove_all(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    // Nearly always there is nothing to remove, and then nothing is allocated.
    if headers.keys().any(|name| unwanted(name.as_str())) {
        let names: Vec<HeaderName> = headers
            .keys()
            .filter(|name| unwanted(name.as_str()))
            .cloned()
            .collect();
        for name in names {
            headers.remove(name);
        }
    }
}

/// Longer than every name in the lists above.
const SQUEEZED: usize = 20;

/// The letters and digits of a name, as many as are needed to recognise it. Header names are lower-case already.
fn squeezed<'a>(name: &str, buffer: &'a mut [u8; SQUEEZED]) -> &'a [u8] {
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric).take(SQUEEZED) {
        buffer[length] = byte;
        length += 1;
    }
    &buffer[..length]
}

fn is_trusted_name(name: &str) -> bool {
    let mut buffer = [0; SQUEEZED];
    let name = squeezed(name, &mut buffer);
    let list: &[&[u8]] = if name.first() == Some(&b'x') {
        &TRUSTED_X
    } else {
        &TRUSTED_OTHER
    };
    list.iter().any(|trusted| name.starts_with(trusted))
}

/// A body without trailers: they would bypass everything above.
pub(crate) fn without_trailers(body: Body) -> Body {
    if body.is_end_stream() {
        body
    } else {
        Body::new(WithoutTrailers(body))
    }
}

struct WithoutTrailers(Body);

impl HttpBody for WithoutTrailers {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.0).poll_frame(context));
        // Trailers are the last frame, so the body is over.
        Poll::Ready(frame.filter(|frame| !matches!(frame, Ok(frame) if frame.is_trailers())))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_not_trusted_names() {
        for name in [
            "host",
            "accept",
            "authorization",
            "content-type",
            "cookie",
            "user-agent",
            "x-request-id",
            "x-requested-with",
            "x-hub-signature-256",
            "x-keycloak-signature",
            "x-twilio-signature",
            "idempotency-key",
            "origin",
            "if-match",
            "x-telegram-bot-api-secret-token",
            "x-csrf-token",
        ] {
            assert!(!is_trusted_name(name), "{name}");
        }
    }

    #[test]
    fn connection_names_more_than_one_header_in_more_than_one_line() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-One ,,é"),
            ("connection", "x-two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-three"]
        );
    }

    #[test]
    fn connection_cannot_take_the_host_away() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONNECTION,
            http::HeaderValue::from_static("host, content-length"),
        );
        headers.insert(header::HOST, http::HeaderValue::from_static("localhost"));
        remove_hop_by_hop(&mut headers);
        assert!(headers.contains_key(header::HOST));
    }
}
