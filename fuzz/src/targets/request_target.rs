//! A target that the gateway lets pass is read by others as it is read by the gateway: a parser that repairs finds nothing to
//! repair in it, and whoever decodes it, before or after taking it apart, has the same segments.

use http::{Request, Uri};
use plaza_gateway::fuzzing::{host_of, is_needlessly_escaped};
use url::Url;

pub(crate) fn bears(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from(bytes) else { return };
    let request = Request::builder().uri(uri).header("host", "localhost").body(());
    let Ok((parts, ())) = request.map(Request::into_parts) else {
        return;
    };
    let Some(host) = host_of(&parts) else { return };
    assert!(host.eq_ignore_ascii_case("localhost"), "for another host: {host}");

    let path = parts.uri.path();
    let other = Url::parse(&format!(
        "http://localhost{}",
        parts.uri.path_and_query().map_or("", |all| all.as_str())
    ));
    let other = other.as_ref().map(|url| (url.path(), url.query().is_some()));
    assert_eq!(other, Ok((path, parts.uri.query().is_some())), "repaired");
    is_read_one_way(path);
}

fn is_read_one_way(path: &str) {
    let Ok(decoded) = String::from_utf8(decoded(path.as_bytes())) else {
        panic!("{path} is no text");
    };
    let segments: Vec<&str> = decoded.split('/').skip(1).collect();
    assert_eq!(
        segments.len(),
        path.matches('/').count(),
        "{path} has other segments"
    );
    assert!(
        !segments.iter().any(|segment| matches!(*segment, "." | "..")),
        "{path} climbs"
    );
    let (_, inner) = segments.split_last().unwrap_or((&"", &[]));
    assert!(!inner.contains(&""), "{path} has an empty segment");
    let hides = |letter: char| letter.is_ascii_control() || matches!(letter, ';' | '\\' | '%');
    assert!(!decoded.contains(hides), "{path} hides something");
    // What needs no escape came as itself, so that comparing before decoding finds it: the two digits of each escape are all
    // that decoding takes away.
    let plain = |text: &str| text.bytes().filter(|byte| needs_no_escape(*byte)).count();
    let as_itself = plain(&decoded) + 2 * path.matches('%').count() == plain(path);
    assert_eq!(as_itself, !is_needlessly_escaped(path), "{path}");
}

fn needs_no_escape(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Every escape as the byte that it stands for.
fn decoded(path: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(path.len()), path);
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte.filter(|_| *first == b'%');
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    plain
}
