//! Refusal of request targets that two programs could read in two ways (RFC 9112 §3.2, RFC 3986 §3.3). Nothing is
//! decoded, collapsed or repaired: what passes here is matched and forwarded as it is.

use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, Version, header};

use crate::refusal::Refusal;

/// Refuses what is ambiguous and gives the host that the request is for (`acme.localhost:8080`).
pub(crate) fn host_of(parts: &Parts) -> Result<&str, Refusal> {
    check_framing(&parts.headers)?;
    check_path(parts.uri.path())?;
    check_query(parts.uri.query().unwrap_or_default())?;
    host(parts)
}

/// hyper refuses most of this by itself; a server that does not must not make us the weak link.
fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let many = |name| headers.get_all(name).iter().nth(1).is_some();
    if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Refusal::Malformed("the length of the body is given in two ways"));
    }
    if many(header::CONTENT_LENGTH) || many(header::TRANSFER_ENCODING) {
        return Err(Refusal::Malformed("the length of the body is given twice"));
    }
    if many(header::AUTHORIZATION) {
        return Err(Refusal::Malformed("there are two Authorization headers"));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), Refusal> {
    let malformed = |what| Err(Refusal::Malformed(what));
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return malformed("the path does not begin with a slash");
    }
    let (mut at, mut segment, mut beyond_ascii) = (1, 1, false);
    while at < bytes.len() {
        match bytes[at] {
            b'/' if at == segment => return malformed("the path has an empty segment"),
            b'/' if is_dots(&bytes[segment..at]) => return malformed("the path has a dot segment"),
            b'/' => segment = at + 1,
            b'%' => {
                let Some(byte) = escaped(&bytes[at..]) else {
                    return malformed("the path has a broken escape");
                };
                if byte < 0x20 || byte == 0x7f || b"/\\%.;".contains(&byte) {
                    return malformed("the path has an escape that hides its structure");
                }
                beyond_ascii |= byte >= 0x80;
                at += 2;
            }
            byte if is_path_character(byte) => {}
            _ => return malformed("the path has a character that does not belong there"),
        }
        at += 1;
    }
    if is_dots(&bytes[segment..]) {
        return malformed("the path has a dot segment");
    }
    if beyond_ascii && std::str::from_utf8(&unescaped(bytes)).is_err() {
        return malformed("the path is not UTF-8");
    }
    Ok(())
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

/// `pchar` of RFC 3986 without escapes and without `;`, which some servers cut a segment at.
fn is_path_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// The byte that an escape stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let [b'%', high, low, ..] = bytes else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escape = escaped(&bytes[at..]);
        plain.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    plain
}

/// Whether a path escapes what needs no escape (`%69` for `i`). No address of ours is spelled so, and whoever decodes
/// before comparing would read another one.
pub(crate) fn is_needlessly_escaped(path: &str) -> bool {
    let bytes = path.as_bytes();
    let needless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    bytes
        .iter()
        .enumerate()
        .any(|(at, byte)| *byte == b'%' && escaped(&bytes[at..]).is_some_and(needless))
}

/// The query decides nothing here and is read by the service alone; only what could break its line is refused.
fn check_query(query: &str) -> Result<(), Refusal> {
    let printable = query
        .bytes()
        .all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\' && byte != b'#');
    let nul = query.as_bytes().windows(3).any(|escape| escape == b"%00");
    if printable && !nul {
        Ok(())
    } else {
        Err(Refusal::Malformed(
            "the query has a character that does not belong there",
        ))
    }
}

fn host(parts: &Parts) -> Result<&str, Refusal> {
    let mut named = parts.headers.get_all(header::HOST).iter();
    let (first, second) = (named.next(), named.next());
    if second.is_some() {
        return Err(Refusal::Malformed("there are two Host headers"));
    }
    let named = first.map(|host| host.to_str()).transpose();
    let named = named.map_err(|_| Refusal::Malformed("the host is not readable"))?;
    let scheme_is_ours = parts
        .uri
        .scheme()
        .is_none_or(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
    match (named, parts.uri.authority().map(http::uri::Authority::as_str)) {
        _ if !scheme_is_ours => Err(Refusal::Malformed("the target has a scheme that is not HTTP")),
        (Some(named), None) => Ok(named),
        // The absolute form of HTTP/1.1, or HTTP/2 with a Host header beside `:authority`.
        (Some(named), Some(target)) if named.eq_ignore_ascii_case(target) => Ok(named),
        (Some(_), Some(_)) => Err(Refusal::Malformed(
            "the target and the Host header name different hosts",
        )),
        (None, Some(target)) if parts.version >= Version::HTTP_2 => Ok(target),
        (None, _) => Err(Refusal::Malformed("there is no Host header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str) -> bool {
        check_path(path).is_err()
    }

    #[test]
    fn paths_that_can_be_read_in_two_ways_are_refused() {
        for path in [
            "",
            "a",
            "*",
            "//",
            "/a//b",
            "//a",
            "/a//",
            "/.",
            "/..",
            "/a/.",
            "/a/..",
            "/a/./b",
            "/a/../b",
            "/%2e",
            "/%2E%2e/a",
            "/.%2e/a",
            "/%252e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a%25",
            "/a;x",
            "/a%3b",
            "/a%3Bx",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/a b",
            "/a\tb",
            "/a\u{0}b",
            "/ä",
            "/a#b",
            "/a\"b",
            "/{a}",
            "/a|b",
            "/a^b",
            "/a`b",
            "/<a>",
            "/%ff",
            "/%c3",
            "/%c0%af",
            "/%ed%a0%80",
        ] {
            assert!(refused(path), "{path:?}");
        }
    }

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a.b",
            "/a..b",
            "/...",
            "/.well-known/jwks.json",
            "/a%20b",
            "/%c3%a4",
            "/a:b@c,d=e+f",
        ] {
            assert!(!refused(path), "{path:?}");
        }
    }

    #[test]
    fn escapes_that_need_not_be_are_found() {
        for path in ["/%69nternal", "/a%2D", "/%7e"] {
            assert!(is_needlessly_escaped(path), "{path}");
        }
        for path in ["/", "/internal", "/a%20b", "/%c3%a4"] {
            assert!(!is_needlessly_escaped(path), "{path}");
        }
    }
}
