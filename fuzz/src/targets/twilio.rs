//! Nobody but who knows the token signs a callback of Twilio's, and no callback is a reason to panic. The first line is the
//! header, the second the target, the rest the form.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use plaza_crypto::hmac_sha1;
use plaza_notification::fuzzing::{TwilioCallback, twilio_told};

use crate::cut::{changed, line};

const TOKEN: &[u8] = b"the token of an account that is fuzzed";
const ORIGIN: &str = "https://plaza.example";

pub(crate) fn bears(bytes: &[u8]) {
    let (signature, rest) = line(bytes);
    let (target, body) = line(rest);
    let (Ok(signature), Ok(target)) = (std::str::from_utf8(signature), std::str::from_utf8(target)) else {
        return;
    };
    assert!(!holds(signature, target, body), "believed");
    let Some(fields) = fields(body) else { return };
    let right = signed(target, &fields);
    assert!(holds(&right, target, body), "not believed");
    let other = changed(right.as_bytes(), bytes).and_then(|other| String::from_utf8(other).ok());
    assert!(
        !other.is_some_and(|other| holds(&other, target, body)),
        "another signature"
    );
    let other = changed(target.as_bytes(), bytes).and_then(|other| String::from_utf8(other).ok());
    assert!(
        !other.is_some_and(|other| holds(&right, &other, body)),
        "another target"
    );
    // A form can be written in many ways; what has to be the same is what it says.
    if let Some(other) = changed(body, bytes) {
        let says_the_same = self::fields(&other).is_some_and(|other| other == fields);
        assert_eq!(holds(&right, target, &other), says_the_same, "another form");
    }
}

fn holds(signature: &str, target: &str, body: &[u8]) -> bool {
    let callback = TwilioCallback {
        origin: ORIGIN,
        target,
        body,
    };
    twilio_told(&callback, TOKEN, signature, DateTime::UNIX_EPOCH).is_some()
}

fn signed(target: &str, fields: &str) -> String {
    let mac = hmac_sha1(TOKEN, format!("{ORIGIN}{target}{fields}").as_bytes());
    STANDARD.encode(mac)
}

/// What Twilio signs of a form, put together in another way than ours: sorted pairs, each once. None when it is no text.
fn fields(body: &[u8]) -> Option<String> {
    let pairs: BTreeSet<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let text: String = pairs
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    (!text.contains(char::REPLACEMENT_CHARACTER)).then_some(text)
}
