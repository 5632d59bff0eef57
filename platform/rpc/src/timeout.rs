//! `grpc-timeout`: how long the caller is willing to wait, as gRPC over HTTP/2 writes it (1 to 8 digits and a unit).

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

const HEADER: &str = "grpc-timeout";

/// What the caller wrote; None when it wrote nothing readable.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Writes it, in the finest unit that eight digits can hold.
pub(crate) fn write(headers: &mut HeaderMap, timeout: Duration) {
    const MOST: u128 = 99_999_999;
    let text = match (
        timeout.as_micros(),
        timeout.as_millis(),
        u128::from(timeout.as_secs()),
    ) {
        (micros, _, _) if micros <= MOST => format!("{micros}u"),
        (_, millis, _) if millis <= MOST => format!("{millis}m"),
        (_, _, seconds) => format!("{}S", seconds.min(MOST)),
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(timeout: Duration) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        write(&mut headers, timeout);
        read(&headers)
    }

    #[test]
    fn what_is_written_is_read() {
        for timeout in [
            Duration::ZERO,
            Duration::from_micros(1),
            Duration::from_secs(5),
            Duration::from_secs(7200),
        ] {
            assert_eq!(round(timeout), Some(timeout));
        }
        assert_eq!(
            round(Duration::from_secs(1_000_000)),
            Some(Duration::from_secs(1_000_000))
        );
    }

    #[test]
    fn rubbish_is_no_timeout() {
        for text in ["", "5", "S", "-5S", "+5S", "5s", "123456789S", "5 S", "½S"] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            assert_eq!(read(&headers), None, "{text}");
        }
    }
}
