//! Nobody but who knows the app's secret signs a callback of Meta's, a signature has one spelling, and no callback is a reason
//! to panic. The first line is the header, the rest the body.

use chrono::DateTime;
use http::{HeaderMap, HeaderValue};
use plaza_crypto::hmac_sha256;
use plaza_notification::fuzzing::{is_signed_by_meta, meta_told};

use crate::cut::{changed, line};

const SECRET: &[u8] = b"the secret of an app that is fuzzed";
const NAME: &str = "x-hub-signature-256";

pub(crate) fn bears(bytes: &[u8]) {
    let (header, body) = line(bytes);
    assert!(!holds(&[header], body), "believed");
    let right = format!("sha256={}", hex::encode(hmac_sha256(SECRET, body)));
    assert!(holds(&[right.as_bytes()], body), "not believed");
    assert!(!holds(&[right.as_bytes(), header], body), "one of two");
    if let Some(other) = changed(right.as_bytes(), bytes) {
        assert!(!holds(&[&other], body), "another signature");
    }
    if let Some(other) = changed(body, bytes) {
        assert!(!holds(&[right.as_bytes()], &other), "another body");
    }
    let _ = meta_told(body, DateTime::UNIX_EPOCH);
}

fn holds(signatures: &[&[u8]], body: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    for signature in signatures {
        match HeaderValue::from_bytes(signature) {
            Ok(signature) => headers.append(NAME, signature),
            // It never arrives.
            Err(_) => return false,
        };
    }
    is_signed_by_meta(&headers, SECRET, body)
}
