//! Answers that are the same for everybody until the next build: told once, then asked for by their tag.

use std::hash::{DefaultHasher, Hasher};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// One such answer.
#[derive(Clone)]
pub(crate) struct Fixed {
    body: Bytes,
    headers: HeaderMap,
    compressed: bool,
}

impl Fixed {
    /// An answer of this type.
    pub(crate) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        // Kept, but asked for each time: the next build may have another one.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&tag(&body)) {
            headers.insert(header::ETAG, tag);
        }
        Self {
            body,
            headers,
            compressed: false,
        }
    }

    /// The same, where the body is what gzip made of the content.
    pub(crate) fn compressed(content_type: &'static str, body: &'static [u8]) -> Self {
        let mut fixed = Self::new(content_type, body);
        fixed
            .headers
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        fixed
            .headers
            .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        fixed.compressed = true;
        fixed
    }

    /// With one more header.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// What this request gets: the body, or only that it has not changed.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        if self.compressed && !takes_gzip(request) {
            let text = "this is kept compressed: accept the encoding `gzip`\n";
            return (StatusCode::NOT_ACCEPTABLE, text).into_response();
        }
        if self.is_known(request) {
            let mut headers = self.headers.clone();
            // RFC 9110, section 15.4.5: what describes a body is left out.
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_ENCODING);
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (self.headers.clone(), self.body.clone()).into_response()
    }

    /// RFC 9110, section 13.1.2: compared without regard to weakness, which proxies add.
    fn is_known(&self, request: &HeaderMap) -> bool {
        let Some(own) = self.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else {
            return false;
        };
        words(request, &header::IF_NONE_MATCH).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
    }
}

/// RFC 9110, section 12.5.3: who names no encoding takes any.
fn takes_gzip(request: &HeaderMap) -> bool {
    if !request.contains_key(header::ACCEPT_ENCODING) {
        return true;
    }
    let weight = |wanted: &str| {
        words(request, &header::ACCEPT_ENCODING).find_map(|word| {
            let mut parts = word.split(';').map(str::trim);
            let named = parts.next()?.eq_ignore_ascii_case(wanted);
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(Ok(1.0), str::parse);
            named.then(|| weight.unwrap_or(0.0_f32))
        })
    };
    weight("gzip")
        .or_else(|| weight("*"))
        .is_some_and(|weight| weight > 0.0)
}

fn words<'a>(request: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    request
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// A strong tag: 64 bits of the body. It tells builds apart, it does not keep anybody from anything.
fn tag(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_taken_by_whoever_does_not_refuse_it() {
        let takes = |value| takes_gzip(&asked(header::ACCEPT_ENCODING, value));
        assert!(takes_gzip(&HeaderMap::new()));
        for taken in [
            "gzip",
            "br, GZIP",
            "gzip;q=0.5",
            "*",
            "br;q=1.0, *;q=0.1",
            "gzip, *;q=0",
        ] {
            assert!(takes(taken), "{taken}");
        }
        for refused in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip; q=0.0, br",
            "*;q=0",
            "gzip;q=0, *",
            "gzip;q=much",
        ] {
            assert!(!takes(refused), "{refused}");
        }
    }

    #[test]
    fn what_is_known_already_is_not_sent_again() {
        let fixed = Fixed::new("text/plain", "one");
        let tag = tag(b"one");
        let status = |value: String| {
            let headers =
                HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::try_from(value).unwrap())]);
            fixed.answer(&headers).status()
        };
        for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            assert_eq!(status(known.clone()), StatusCode::NOT_MODIFIED, "{known}");
        }
        for unknown in ["\"other\"".to_owned(), tag.replace('"', ""), String::new()] {
            assert_eq!(status(unknown.clone()), StatusCode::OK, "{unknown}");
        }
        assert_ne!(tag, super::tag(b"two"));
    }
}
