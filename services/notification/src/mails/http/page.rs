//! The page of the inbox: one file, nothing loaded from anywhere, no script.

use std::fmt::Write;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, header};
use plaza_crypto::sha256;

use super::MailView;
use crate::mails::templates::escaped;

const STYLE: &str = "body{font-family:sans-serif;max-width:50em;margin:2em auto;padding:0 1em}\
    summary{cursor:pointer;padding:.4em 0}time,small{color:#666}pre{white-space:pre-wrap;background:#f4f4f4;padding:1em}";

/// Only this style, in nobody's frame.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(sha256(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Its headers.
pub(super) fn headers() -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ]
}

/// The page with these mails; `elsewhere` is where messages of other channels are.
pub(super) fn html(mails: &[MailView], elsewhere: Option<&str>) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Inbox</title><style>{STYLE}</style></head>\
         <body><h1>Inbox</h1>\n<p>Nothing of this left the machine unless it says so.</p>\n"
    );
    if let Some(url) = elsewhere {
        let url = escaped(url);
        add(
            &mut page,
            format_args!("<p>WhatsApp and text messages: <a href=\"{url}\">{url}</a></p>\n"),
        );
    }
    if mails.is_empty() {
        page.push_str("<p>No mails yet.</p>\n");
    }
    for mail in mails {
        entry(&mut page, mail);
    }
    page.push_str("</body></html>\n");
    page
}

fn entry(page: &mut String, mail: &MailView) {
    let (to, subject, state) = (escaped(&mail.to), escaped(&mail.subject), escaped(&mail.state));
    let at = mail.created_at.format("%Y-%m-%d %H:%M:%S UTC");
    add(
        page,
        format_args!(
            "<details><summary><b>{subject}</b> to {to} <time>{at}</time> <small>{state}</small></summary>\n"
        ),
    );
    if let Some(error) = &mail.error {
        add(page, format_args!("<p>{}</p>\n", escaped(error)));
    }
    match &mail.text {
        Some(text) => add(page, format_args!("<pre>{}</pre>\n", linked(text))),
        None => page.push_str("<p>A mail server has it; what it said is not kept.</p>\n"),
    }
    page.push_str("</details>\n");
}

/// The text, with its links to be followed: a link stands on a line of its own.
fn linked(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let shown = escaped(line);
        if line.starts_with("https://") || line.starts_with("http://") {
            format!("<a href=\"{shown}\">{shown}</a>")
        } else {
            shown
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writing to a String cannot fail.
fn add(page: &mut String, more: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use plaza_kernel::Clock;

    use super::*;
    use crate::mails::MailId;

    #[test]
    fn what_a_mail_says_is_shown_as_text_and_its_link_can_be_followed() {
        let mail = MailView {
            id: MailId::generate(&Clock::system()),
            to: "<script>@example.org".to_owned(),
            from_name: String::new(),
            template: "reset".to_owned(),
            subject: "a & b".to_owned(),
            state: "kept".to_owned(),
            attempts: 0,
            error: None,
            created_at: DateTime::UNIX_EPOCH,
            text: Some("Hello <b>\r\n\r\nhttps://plaza.example/reset?a=1&b=\"x\r\n".to_owned()),
            html: None,
        };
        let page = html(&[mail], Some("http://127.0.0.1:1/_simulator/messages"));
        assert!(!page.contains("<script>") && !page.contains("<b>\r\n"), "{page}");
        assert!(
            page.contains("<a href=\"https://plaza.example/reset?a=1&amp;b=&quot;x\">"),
            "{page}"
        );
        assert!(page.contains("a &amp; b"));
    }

    #[test]
    fn the_policy_allows_exactly_the_style_of_the_page() {
        let page = html(&[], None);
        let begin = page.find("<style>").unwrap() + "<style>".len();
        let style = &page[begin..page.find("</style>").unwrap()];
        let hash = STANDARD.encode(sha256(style.as_bytes()));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")));
    }
}
