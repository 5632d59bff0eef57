//! What can be the name of a time zone on a message. No I/O here.

/// An IANA name (`Europe/Berlin`) or a country's two letters; whether there is such a place is not asked here.
pub fn is_zone(text: &str) -> bool {
    let in_zone = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    (2..=40).contains(&text.len()) && text.bytes().all(in_zone)
}

#[cfg(test)]
mod tests {
    use super::is_zone;

    #[test]
    fn a_name_has_two_to_forty_plain_characters() {
        for zone in [
            "Europe/Berlin",
            "America/Argentina/Buenos_Aires",
            "Etc/GMT+3",
            "DE",
            "UTC",
        ] {
            assert!(is_zone(zone), "{zone}");
        }
        for other in ["", "Z", "-", "Europe Berlin", "Zürich", &"x".repeat(41)] {
            assert!(!is_zone(other), "{other}");
        }
    }
}
