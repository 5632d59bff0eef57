//! What Meta answers, and what it means. No I/O here.

use serde::Deserialize;

use crate::providers::{ErrorClass, SendFailure, is_provider_id, presentable};

/// Meta's id of the message.
pub(super) fn accepted(body: &[u8]) -> Result<String, SendFailure> {
    let reply: Result<Accepted, _> = serde_json::from_slice(body);
    let id = reply
        .ok()
        .and_then(|reply| reply.messages.into_iter().next())
        .map(|message| message.id);
    // A success that cannot be read is a message the provider has: a receipt will name it.
    id.filter(|id| is_provider_id(id))
        .ok_or_else(|| SendFailure::Unknown("the answer cannot be read".to_owned()))
}

/// What a refusal is about.
pub(super) fn refused(status: u16, body: &[u8]) -> SendFailure {
    let error = serde_json::from_slice::<Refused>(body)
        .ok()
        .map(|reply| reply.error);
    match error {
        Some(GraphError {
            code: Some(code),
            message,
            error_data,
        }) => {
            let details = error_data
                .map(|data| data.details)
                .filter(|details| !details.is_empty());
            let text = details.unwrap_or(message);
            SendFailure::Refused {
                class: class(code, status),
                code: code.to_string(),
                text: presentable(&text),
            }
        }
        // Not Meta's words: something in between refused.
        _ => SendFailure::Refused {
            class: class_of_status(status),
            code: format!("HTTP_{status}"),
            text: "an answer without an error code".to_owned(),
        },
    }
}

/// What a code means for the message and its sender.
fn class(code: i64, status: u16) -> ErrorClass {
    match code {
        130_429 | 80_007 => ErrorClass::Throttled,
        131_056 => ErrorClass::Pair,
        1 | 2 | 4 | 131_000 | 131_016 | 131_057 | 133_004 => ErrorClass::Backoff,
        368 | 130_497 | 131_031 | 131_042 | 131_045 | 131_048 | 133_010 => ErrorClass::StopSender,
        0 | 3 | 10 | 190 | 200..=299 | 131_005 => ErrorClass::Credentials,
        _ => match class_of_status(status) {
            ErrorClass::Backoff => ErrorClass::Backoff,
            _ => ErrorClass::Final,
        },
    }
}

/// What a status means where there is no code.
fn class_of_status(status: u16) -> ErrorClass {
    match status {
        408 | 425 | 429 | 500.. => ErrorClass::Backoff,
        401 | 403 => ErrorClass::Credentials,
        _ => ErrorClass::Final,
    }
}

#[derive(Debug, Deserialize)]
struct Accepted {
    messages: Vec<AcceptedMessage>,
}

#[derive(Debug, Deserialize)]
struct AcceptedMessage {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error: GraphError,
}

#[derive(Debug, Deserialize)]
struct GraphError {
    #[serde(default)]
    message: String,
    code: Option<i64>,
    error_data: Option<ErrorData>,
}

#[derive(Debug, Deserialize)]
struct ErrorData {
    #[serde(default)]
    details: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(failure: SendFailure) -> ErrorClass {
        match failure {
            SendFailure::Refused { class, .. } => class,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes_have_the_classes_of_the_policy() {
        for (code, expected) in [
            (130_429, ErrorClass::Throttled),
            (131_056, ErrorClass::Pair),
            (131_016, ErrorClass::Backoff),
            (131_048, ErrorClass::StopSender),
            (0, ErrorClass::Credentials),
            (190, ErrorClass::Credentials),
            (250, ErrorClass::Credentials),
            (131_026, ErrorClass::Final),
            (132_001, ErrorClass::Final),
            (100, ErrorClass::Final),
        ] {
            assert_eq!(class(code, 400), expected, "{code}");
        }
        assert_eq!(class(999_999, 503), ErrorClass::Backoff);
        assert_eq!(
            class(100, 401),
            ErrorClass::Final,
            "a known code wins over its status"
        );
    }

    #[test]
    fn a_refusal_without_a_code_is_judged_by_its_status() {
        assert_eq!(class_of(refused(502, b"<html>")), ErrorClass::Backoff);
        assert_eq!(class_of(refused(404, b"")), ErrorClass::Final);
        assert_eq!(class_of(refused(401, b"")), ErrorClass::Credentials);
        let proxy = br#"{"error":{"message":"upstream is away"}}"#;
        assert_eq!(
            class_of(refused(502, proxy)),
            ErrorClass::Backoff,
            "not code 0, which stops a sender"
        );
    }

    #[test]
    fn a_success_without_a_usable_id_is_unknown_and_not_lost() {
        let long = format!(r#"{{"messages":[{{"id":"{}"}}]}}"#, "x".repeat(257));
        for body in [
            "{}",
            r#"{"messages":[]}"#,
            r#"{"messages":[{"id":"a\u0000b"}]}"#,
            &long,
        ] {
            assert!(
                matches!(accepted(body.as_bytes()), Err(SendFailure::Unknown(_))),
                "{body}"
            );
        }
        let good = br#"{"messages":[{"id":"wamid.1","message_status":"accepted"}]}"#;
        assert_eq!(accepted(good), Ok("wamid.1".to_owned()));
    }

    #[test]
    fn what_a_provider_says_can_be_kept() {
        let body = r#"{"error":{"message":"a\u0000b","code":100}}"#;
        let SendFailure::Refused { text, .. } = refused(400, body.as_bytes()) else {
            panic!()
        };
        assert_eq!(text, "a b");
    }
}
