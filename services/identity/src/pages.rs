//! The pages that links lead to: each one file, nothing loaded from anywhere, the same bytes for every token.
//!
//! A token stands behind the `#` of a link, which browsers send to nobody: not to us, nor to the proxies and logs between. It is
//! read by the page's script and taken out of the address bar; it never becomes part of the page. Looking at a page
//! uses nothing up: programs that scan mail for links look at all of them.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header;
use plaza_crypto::sha256;

const STYLE: &str = include_str!("pages/page.css");

/// Sets the first password.
pub(crate) static SETUP: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("pages/setup.html"), include_str!("pages/setup.js")));
/// Sets a new password.
pub(crate) static RESET: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("pages/reset.html"), include_str!("pages/reset.js")));
/// Proves an address.
pub(crate) static VERIFY: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("pages/verify.html"), include_str!("pages/verify.js")));

/// A page, and what browsers are told about it.
pub(crate) struct Page {
    html: String,
    /// Only this script and this style, only calls to the same origin, in nobody's frame.
    policy: String,
}

impl Page {
    fn new(template: &str, script: &str) -> Self {
        let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes())));
        Self {
            html: template.replace("/*style*/", STYLE).replace("/*script*/", script),
            policy: format!(
                "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'",
                hash(script),
                hash(STYLE)
            ),
        }
    }

    /// The page as an answer. Without a referrer, for the address holds the token.
    pub(crate) fn show(&'static self) -> Response {
        let headers = [
            (header::CONTENT_SECURITY_POLICY, self.policy.as_str()),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Html(self.html.as_str())).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_exactly_the_script_and_the_style_of_the_page() {
        for page in [&SETUP, &RESET, &VERIFY] {
            let html = page.html.as_str();
            let between = |from: &str, to: &str| {
                let begin = html.find(from).unwrap() + from.len();
                let end = begin + html[begin..].find(to).unwrap();
                format!(
                    "'sha256-{}'",
                    STANDARD.encode(sha256(&html.as_bytes()[begin..end]))
                )
            };
            let policy = &page.policy;
            assert!(policy.contains(&format!("script-src {};", between("<script>", "</script>"))));
            assert!(policy.contains(&format!("style-src {};", between("<style>", "</style>"))));
            assert!(!html.contains("http://") && !html.contains("https://"));
            assert!(html.contains("said(location.hash)"));
        }
    }
}
