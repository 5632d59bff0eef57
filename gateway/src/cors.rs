//! Cross-origin requests (the Fetch standard, "CORS protocol"): pages of exactly the configured origins may call us.

use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, header};

/// What an answer to a preflight says beside the methods: what pages may send beyond what is always allowed, and for
/// how many seconds a browser need not ask again.
pub(crate) const PREFLIGHT: [(HeaderName, HeaderValue); 2] = [
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id",
        ),
    ),
    (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
];
/// What pages may read beyond what is always allowed.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id",
);

/// The origins whose pages may call. Never `*`, and never the origin `null` of sandboxed pages.
#[derive(Debug, Clone)]
pub(crate) struct Cors(Vec<String>);

impl Cors {
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn new(origins: &[String]) -> Result<Self, String> {
        for origin in origins {
            let host = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"));
            let is_host = |host: &str| {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|byte| byte.is_ascii_graphic() && !b"/?#*@\\".contains(&byte))
            };
            if !host.is_some_and(is_host) || origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return Err(format!(
                    "`{origin}` is not an origin as a browser sends it: https://console.example, lower-case, without a path"
                ));
            }
        }
        Ok(Self(origins.to_vec()))
    }

    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|known| known.as_bytes() == origin.as_bytes())
    }

    /// Tells the browser whether the page may read the answer.
    pub(crate) fn dress(&self, response: &mut Response, origin: Option<&HeaderValue>) {
        if self.0.is_empty() {
            return;
        }
        let headers = response.headers_mut();
        // The answer differs by origin, also towards those that get nothing: caches have to know.
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// Whether a browser asks what a page may do.
pub(crate) fn is_preflight(parts: &Parts) -> bool {
    let has = |name| parts.headers.contains_key(name);
    parts.method == Method::OPTIONS && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}
