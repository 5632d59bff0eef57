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

/// The note that a message of theirs was read has no id of its own: theirs stands for it.
pub(super) fn noted(body: &[u8], theirs: &str) -> Result<String, SendFailure> {
    let noted = serde_json::from_slice::<Noted>(body).is_ok_and(|reply| reply.success);
    noted
        .then(|| theirs.to_owned())
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

/// What a code means that was kept of a failure: Meta's own, or the status of an answer without one.
pub(super) fn class_of(code: &str) -> ErrorClass {
    match code.strip_prefix("HTTP_") {
        Some(status) => class_of_status(status.parse().unwrap_or_default()),
        None => code.parse().map_or(ErrorClass::Final, |code| class(code, 0)),
    }
}

/// What a code means for the message and its sender.
fn class(code: i64, status: u16) -> ErrorClass {
    match code {
        130_429 | 80_007 => ErrorClass::Throttled,
        131_056 => ErrorClass::Pair,
        130_472 | 131_049 => ErrorClass::Pacing,
        1 | 2 | 4 | 131_000 | 131_016 | 131_057 | 133_004 => ErrorClass::Backoff,
        368 | 130_497 | 131_031 | 131_042 | 131_045 | 131_048 | 133_010 => ErrorClass::StopSender,
        0 | 3 | 10 | 190 | 200..=299 | 131_005 => ErrorClass::Credentials,
        132_015 | 132_016 => ErrorClass::Template { stop: true },
        132_000 | 132_001 | 132_005 | 132_007 | 132_012 | 132_068 | 132_069 => {
            ErrorClass::Template { stop: false }
        }
        131_026 => ErrorClass::Unreachable,
        131_050 => ErrorClass::OptedOut,
        131_047 => ErrorClass::WindowClosed,
        33 | 100 | 131_008 | 131_009 | 131_021 | 131_051..=131_053 => ErrorClass::Final,
        // A code that is not known yet: what the status says.
        _ => class_of_status(status),
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
struct Noted {
    success: bool,
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

    fn refusal(failure: SendFailure) -> ErrorClass {
        match failure {
            SendFailure::Refused { class, .. } => class,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_code_has_its_class() {
        let table = include_str!("../../../../../testdata/vectors/meta_errors.json");
        let table: serde_json::Value = serde_json::from_str(table).unwrap();
        let rows = table["codes"].as_array().unwrap();
        assert!(rows.len() >= 45, "{}", rows.len());
        for row in rows {
            let code = row["code"].as_i64().unwrap();
            let (found, told) = (class(code, 400), class_of(&code.to_string()));
            assert_eq!(
                (found.name(), found),
                (row["class"].as_str().unwrap(), told),
                "{code}"
            );
            let stops = row["stops"].as_str();
            let does = match found {
                ErrorClass::Template { stop: true } => Some("source"),
                class => class.stops_sender(),
            };
            assert_eq!(does, stops, "{code}");
        }
        for row in table["statuses"].as_array().unwrap() {
            let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
            let failure = refused(status, b"<html>");
            assert_eq!(refusal(failure).name(), row["class"], "{status}");
        }
        for (status, class_of_unknown) in [
            (503, ErrorClass::Backoff),
            (401, ErrorClass::Credentials),
            (403, ErrorClass::Credentials),
            (400, ErrorClass::Final),
        ] {
            assert_eq!(class(999_999, status), class_of_unknown, "{status}");
        }
        assert_eq!(
            class(100, 401),
            ErrorClass::Final,
            "a known code wins over its status"
        );
        assert_eq!(class_of("HTTP_503"), ErrorClass::Backoff);
        assert_eq!(class_of("UNREADABLE_CONTENT"), ErrorClass::Final);
    }

    #[test]
    fn every_answer_of_the_vectors_is_understood() {
        let vectors = include_str!("../../../../../testdata/vectors/meta.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for row in vectors["answers"].as_array().unwrap() {
            let body = row["body"].to_string();
            if let Some(id) = row["accepted"].as_str() {
                assert_eq!(accepted(body.as_bytes()), Ok(id.to_owned()), "{}", row["name"]);
                continue;
            }
            let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
            let SendFailure::Refused { class, code, text } = refused(status, body.as_bytes()) else {
                panic!("{}", row["name"])
            };
            assert_eq!(
                (class.name(), code.as_str(), text.as_str()),
                (
                    row["class"].as_str().unwrap(),
                    row["code"].as_str().unwrap(),
                    row["text"].as_str().unwrap()
                )
            );
        }
        let done = noted(br#"{"success":true}"#, "wamid.9");
        assert_eq!(done, Ok("wamid.9".to_owned()));
        assert!(matches!(noted(b"{}", "wamid.9"), Err(SendFailure::Unknown(_))));
    }

    #[test]
    fn a_refusal_without_a_code_is_judged_by_its_status() {
        assert_eq!(refusal(refused(502, b"<html>")), ErrorClass::Backoff);
        assert_eq!(refusal(refused(404, b"")), ErrorClass::Final);
        assert_eq!(refusal(refused(401, b"")), ErrorClass::Credentials);
        let proxy = br#"{"error":{"message":"upstream is away"}}"#;
        assert_eq!(
            refusal(refused(502, proxy)),
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
