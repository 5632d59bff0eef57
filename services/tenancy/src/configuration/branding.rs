//! `branding`: how a tenant shows itself, for whoever shows it.

use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Checks;

/// How a tenant shows itself. What is left out is the platform's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Branding {
    /// The name that people see: 1 to 100 printable characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Acme")]
    pub(crate) display_name: Option<String>,
    /// `#` and six hexadecimal digits, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#1f6feb")]
    pub(crate) color: Option<String>,
    /// Where people find help: an `https` address of at most 300 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://help.acme.example")]
    pub(crate) support_url: Option<String>,
}

impl Branding {
    pub(super) fn check(&self, checks: &mut Checks) {
        if let Some(name) = &self.display_name {
            checks.line(name, 100, "/display_name");
        }
        if let Some(color) = &self.color {
            let wanted = "`#` and six hexadecimal digits, lower case";
            checks.that(is_color(color), "/color", "INVALID_COLOR", wanted);
        }
        if let Some(url) = &self.support_url {
            let wanted = "an `https` address of at most 300 characters";
            checks.that(is_web_address(url), "/support_url", "INVALID_URL", wanted);
        }
    }
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// It becomes a link: no other scheme, and nobody's name before the host, which makes a link look like another's.
fn is_web_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let named = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    text.len() <= 300 && uri.scheme_str() == Some("https") && !host.is_empty() && named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_as_a_link_is_one() {
        for good in ["https://help.acme.example", "https://acme.example:8443/help?a=b"] {
            assert!(is_web_address(good), "{good}");
        }
        for bad in [
            "",
            "help",
            "http://acme.example",
            "javascript:alert(1)",
            "https://",
            "https://acme.example@evil.example/",
            "//acme.example",
            "https://acme.example/\n",
            &format!("https://acme.example/{}", "a".repeat(300)),
        ] {
            assert!(!is_web_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_color_has_one_spelling() {
        assert!(is_color("#1f6feb"));
        for bad in ["1f6feb", "#1F6FEB", "#fff", "red", "#1f6feb0", "#1f6fég"] {
            assert!(!is_color(bad), "{bad}");
        }
    }
}
