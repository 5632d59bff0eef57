//! The page that a setup link opens: one file, nothing loaded from anywhere, the same bytes for every token.
//!
//! The token is read by the page's script and taken out of the address bar; it never becomes part of the page.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, header};
use plaza_crypto::sha256;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

static HTML: LazyLock<String> = LazyLock::new(|| {
    include_str!("page.html")
        .replace("/*style*/", STYLE)
        .replace("/*script*/", SCRIPT)
});

/// Only this script and this style, only calls to the same origin, in nobody's frame.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes())));
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// The page.
pub(crate) fn html() -> &'static str {
    &HTML
}

/// Its headers. Without a referrer, for the address holds the token.
pub(crate) fn headers() -> [(HeaderName, &'static str); 4] {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_exactly_the_script_and_the_style_of_the_page() {
        let between = |from: &str, to: &str| {
            let begin = html().find(from).unwrap() + from.len();
            let end = begin + html()[begin..].find(to).unwrap();
            format!(
                "'sha256-{}'",
                STANDARD.encode(sha256(&html().as_bytes()[begin..end]))
            )
        };
        assert!(POLICY.contains(&format!("script-src {};", between("<script>", "</script>"))));
        assert!(POLICY.contains(&format!("style-src {};", between("<style>", "</style>"))));
        assert!(!html().contains("http://") && !html().contains("https://"));
    }
}
