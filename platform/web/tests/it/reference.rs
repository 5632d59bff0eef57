//! The API reference comes whole from this program.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use plaza_web::openapi;

use crate::support::{Reply, ask, get};

const FILES: [(&str, &str); 5] = [
    ("/docs", "text/html; charset=utf-8"),
    ("/docs/page.css", "text/css; charset=utf-8"),
    ("/docs/page.js", "text/javascript; charset=utf-8"),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
    ("/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
];

/// What Swagger UI mentions without asking for it: namespaces and identifiers of XML and JSON Schema, addresses in messages
/// and comments of its parts. `validator.swagger.io` is asked only where `validatorUrl` says so; the page says `null`, and
/// its policy allows no other origin in any case.
const MENTIONED: [&str; 20] = [
    "base",
    "datatracker.ietf.org",
    "example.com",
    "fb.me",
    "github.com",
    "instagram.com",
    "json-schema.org",
    "reactjs.org",
    "redux.js.org",
    "soundcloud.com",
    "spdx.org",
    "spec.openapis.org",
    "swagger.io",
    "twitter.com",
    "validator.swagger.io",
    "vladimirgorej.com",
    "www.facebook.com",
    "www.rfc-editor.org",
    "www.tiktok.com",
    "www.w3.org",
];

fn public() -> Router {
    openapi::router(&openapi::document(&[]))
}

async fn asked_with(path: &str, name: &str, value: &str) -> Reply {
    let request = Request::get(path).header(name, value).body(Body::empty());
    ask(&public(), request.unwrap()).await
}

/// The content of a file, as a browser has it.
async fn content(path: &str) -> String {
    let reply = ask(&public(), get(path)).await;
    if reply.headers.get("content-encoding").is_none() {
        return String::from_utf8(reply.body.to_vec()).unwrap();
    }
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&reply.body));
    let output = gzip.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{path} is not what gzip made");
    String::from_utf8(output.stdout).unwrap()
}

/// The hosts of all absolute addresses in a text, and of those without a scheme in a style sheet or a page.
fn hosts(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for opening in ["https://", "http://", "url(//", "href=\"//", "src=\"//"] {
        for (at, _) in text.match_indices(opening) {
            let host: String = text[at + opening.len()..]
                .chars()
                .take_while(|character| character.is_ascii_alphanumeric() || ".-_:@".contains(*character))
                .collect();
            if !host.is_empty() {
                found.insert(host);
            }
        }
    }
    found
}

#[tokio::test]
async fn every_file_has_its_type_and_its_tag() {
    for (path, content_type) in FILES {
        let reply = ask(&public(), get(path)).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.headers["content-type"], content_type, "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(reply.headers["cache-control"], "no-cache", "{path}");
        let tag = reply.headers["etag"].to_str().unwrap().to_owned();

        let again = asked_with(path, "if-none-match", &tag).await;

        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
        assert!(
            again.body.is_empty() && again.headers["etag"] == tag.as_str(),
            "{path}"
        );
        assert_eq!(
            asked_with(path, "if-none-match", "\"x\"").await.status,
            StatusCode::OK,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_large_is_sent_compressed_and_is_small_enough() {
    let mut total = 0;
    for path in ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"] {
        let reply = asked_with(path, "accept-encoding", "gzip, br").await;
        assert_eq!(reply.headers["content-encoding"], "gzip");
        assert_eq!(reply.headers["vary"], "accept-encoding");
        total += reply.body.len();
        let refused = asked_with(path, "accept-encoding", "identity").await;
        assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);
    }
    assert!(total < 1_000_000, "{total} bytes are compiled in");
}

#[tokio::test]
async fn the_page_names_no_other_origin() {
    for path in ["/docs", "/docs/page.css", "/docs/page.js"] {
        let text = content(path).await;
        assert!(
            !text.contains("//") || hosts(&text).is_empty(),
            "{path}: {:?}",
            hosts(&text)
        );
    }
    let page = content("/docs").await;
    for (path, _) in &FILES[1..] {
        assert!(page.contains(&format!("\"{path}\"")), "{path} is not used");
    }
    assert!(content("/docs/page.js").await.contains("validatorUrl: null"));
}

#[tokio::test]
async fn swagger_ui_mentions_no_host_that_nobody_has_looked_at() {
    let known: BTreeSet<String> = MENTIONED.map(str::to_owned).into();
    let mut found = hosts(&content("/docs/swagger-ui-bundle.js").await);
    let of_style = hosts(&content("/docs/swagger-ui.css").await);
    assert_eq!(
        of_style,
        BTreeSet::from(["www.w3.org".to_owned()]),
        "the namespace of SVG"
    );
    found.extend(of_style);
    assert_eq!(found, known);
}

#[tokio::test]
async fn the_policy_of_the_page_allows_its_own_origin_only() {
    let reply = ask(&public(), get("/docs")).await;
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    for directive in policy.split("; ").skip(1) {
        let allowed = directive.split(' ').skip(1);
        assert!(
            allowed.clone().count() > 0
                && allowed.into_iter().all(|source| {
                    ["'self'", "'none'"].contains(&source)
                        || (source == "data:" && directive.starts_with("img-src"))
                }),
            "{directive}"
        );
    }
}

#[tokio::test]
async fn the_page_is_found_with_a_slash_too_and_nothing_else_is() {
    let reply = ask(&public(), get("/docs/")).await;
    assert_eq!(
        (reply.status, reply.headers["location"].as_bytes()),
        (StatusCode::PERMANENT_REDIRECT, &b"/docs"[..])
    );
    for path in [
        "/docs/README.md",
        "/docs/..%2fpage.html",
        "/docs/swagger-ui-bundle.js.gz",
    ] {
        assert_eq!(
            ask(&public(), get(path)).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
