//! Doors to parsers that are private, for `fuzz/` alone: no part of what the gateway offers.

use http::request::Parts;

use crate::target;

/// The host that a request is for; none when its target or its framing is refused.
pub fn host_of(parts: &Parts) -> Option<&str> {
    target::host_of(parts).ok()
}

/// Whether a path escapes what needs no escape.
pub fn is_needlessly_escaped(path: &str) -> bool {
    target::is_needlessly_escaped(path)
}
