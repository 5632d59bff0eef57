//! What Twilio answers, and what it means. No I/O here.

use serde::Deserialize;

use crate::providers::{ErrorClass, SendFailure, is_provider_id, presentable};

/// Twilio's id of the message.
pub(super) fn accepted(body: &[u8]) -> Result<String, SendFailure> {
    let reply = serde_json::from_slice::<Accepted>(body).ok();
    // A success that cannot be read is a message that Twilio has: a callback will name it.
    reply
        .map(|reply| reply.sid)
        .filter(|sid| is_provider_id(sid))
        .ok_or_else(|| SendFailure::Unknown("the answer cannot be read".to_owned()))
}

/// What a refusal is about.
pub(super) fn refused(status: u16, body: &[u8]) -> SendFailure {
    let refused = serde_json::from_slice::<Refused>(body).ok();
    match refused {
        Some(Refused {
            code: Some(code),
            message,
        }) => SendFailure::Refused {
            class: class(code).unwrap_or_else(|| class_of_http(status)),
            code: code.to_string(),
            text: presentable(&message),
        },
        // Not Twilio's words: something in between refused.
        _ => SendFailure::Refused {
            class: class_of_http(status),
            code: format!("HTTP_{status}"),
            text: "an answer without an error code".to_owned(),
        },
    }
}

/// What a code means that was kept of a failure: Twilio's own, or the status of an answer without one.
pub(super) fn class_of(code: &str) -> ErrorClass {
    match code.strip_prefix("HTTP_") {
        Some(status) => class_of_http(status.parse().unwrap_or_default()),
        None => code.parse().ok().and_then(class).unwrap_or(ErrorClass::Final),
    }
}

/// What a code means for the message and its sender; none for one that is not known.
fn class(code: i64) -> Option<ErrorClass> {
    Some(match code {
        // Too many requests; the queue of the number, or of the account, is full.
        20_429 | 21_611 | 30_001 | 63_038 => ErrorClass::Throttled,
        // Unreachable now, or nobody knows why: perhaps later.
        20_500 | 20_503 | 20_504 | 30_003 | 30_008 | 30_017 => ErrorClass::Backoff,
        // The account's secret.
        20_003 | 20_404 => ErrorClass::Credentials,
        // The account is closed or suspended; the number or service is not this account's, or cannot send.
        10_001
        | 20_005
        | 21_212
        | 21_603
        | 21_606
        | 21_659
        | 21_660
        | 21_661
        | 21_701..=21_705
        | 30_002
        | 30_032
        | 30_034 => ErrorClass::StopSender,
        // They wrote STOP to this number: everything to them is refused until they write START.
        21_610 => ErrorClass::OptedOut,
        // The address, the region, the text, or a filter: the same message is never taken.
        21_211
        | 21_214
        | 21_217
        | 21_265
        | 21_408
        | 21_602
        | 21_604
        | 21_609
        | 21_612
        | 21_613
        | 21_614
        | 21_617
        | 21_635
        | 30_004..=30_007 => ErrorClass::Final,
        _ => return None,
    })
}

/// What a status means where there is no code.
fn class_of_http(status: u16) -> ErrorClass {
    match status {
        429 => ErrorClass::Throttled,
        408 | 425 | 500.. => ErrorClass::Backoff,
        401 | 403 => ErrorClass::Credentials,
        _ => ErrorClass::Final,
    }
}

/// What a code is about.
pub(super) fn words(code: &str) -> &'static str {
    match code.parse().unwrap_or_default() {
        21_610 => "the recipient does not want messages from this sender",
        30_001 => "too many messages at once",
        30_002 => "the account is suspended",
        30_003 => "the handset cannot be reached",
        30_004 => "the message is blocked",
        30_005 => "the number is not known, or out of use",
        30_006 => "a landline, or a carrier that cannot be reached",
        30_007 => "a carrier filtered the message",
        30_008 => "nobody knows why",
        _ => "it was not delivered",
    }
}

#[derive(Debug, Deserialize)]
struct Accepted {
    sid: String,
}

#[derive(Debug, Deserialize)]
struct Refused {
    code: Option<i64>,
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn refusal(failure: SendFailure) -> ErrorClass {
        match failure {
            SendFailure::Refused { class, .. } => class,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_code_of_the_vectors_has_its_class() {
        let vectors = include_str!("../../../../../testdata/vectors/twilio.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let rows = vectors["errors"].as_array().unwrap();
        assert!(rows.len() >= 30);
        for row in rows {
            let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
            let found = refusal(refused(status, row["body"].as_str().unwrap().as_bytes()));
            assert_eq!(found.name(), row["class"].as_str().unwrap(), "{row}");
        }
        let good = vectors["accepted"]["body"].to_string();
        assert_eq!(
            accepted(good.as_bytes()).unwrap(),
            vectors["accepted"]["sid"].as_str().unwrap()
        );
    }

    #[test]
    fn a_success_without_a_usable_id_is_unknown_and_not_lost() {
        let long = format!(r#"{{"sid":"{}"}}"#, "x".repeat(257));
        for body in ["{}", "", "<html>", r#"{"sid":"a\u0000b"}"#, r#"{"sid":7}"#, &long] {
            assert!(
                matches!(accepted(body.as_bytes()), Err(SendFailure::Unknown(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn a_code_that_was_kept_means_what_it_meant_and_one_that_nobody_knows_is_final() {
        assert_eq!(class_of("30003"), ErrorClass::Backoff);
        assert_eq!(class_of("HTTP_503"), ErrorClass::Backoff);
        for code in ["99999", "UNSUPPORTED_CONTENT", ""] {
            assert_eq!(class_of(code), ErrorClass::Final, "{code}");
        }
    }
}
