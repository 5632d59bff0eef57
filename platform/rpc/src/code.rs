//! Codes from the wire as `&'static str`.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// Codes are a closed set, written in the sources of our services; a callee that keeps inventing new ones is broken
/// and must not fill our memory.
const MOST: usize = 1024;
const LONGEST: usize = 64;

static KNOWN: RwLock<Option<HashSet<&'static str>>> = RwLock::new(None);

/// The code itself, or `REMOTE_ERROR` when it does not look like one or there are too many.
pub(crate) fn intern(code: &str) -> &'static str {
    intern_in(&KNOWN, code)
}

fn intern_in(known: &RwLock<Option<HashSet<&'static str>>>, code: &str) -> &'static str {
    let read = known.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = read.as_ref().and_then(|codes| codes.get(code)) {
        return found;
    }
    drop(read);
    let shaped = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if code.is_empty() || code.len() > LONGEST || !code.bytes().all(shaped) {
        return "REMOTE_ERROR";
    }
    let mut write = known.write().unwrap_or_else(PoisonError::into_inner);
    let codes = write.get_or_insert_default();
    if let Some(found) = codes.get(code) {
        return found;
    }
    if codes.len() >= MOST {
        return "REMOTE_ERROR";
    }
    // Bounded by MOST and LONGEST; the price of `Failure::code` being a promise in the sources.
    let code: &'static str = Box::leak(code.to_owned().into_boxed_str());
    codes.insert(code);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_is_kept_once() {
        let known = RwLock::new(None);
        let first = intern_in(&known, "TENANT_NOT_FOUND");
        assert_eq!(first, "TENANT_NOT_FOUND");
        assert!(std::ptr::eq(first, intern_in(&known, "TENANT_NOT_FOUND")));
    }

    #[test]
    fn a_callee_that_invents_codes_does_not_fill_the_memory() {
        let known = RwLock::new(None);
        for n in 0..MOST {
            assert_eq!(intern_in(&known, &format!("CODE_{n}")), format!("CODE_{n}"));
        }
        assert_eq!(intern_in(&known, "ONE_MORE"), "REMOTE_ERROR");
        assert_eq!(intern_in(&known, "CODE_7"), "CODE_7");
    }

    #[test]
    fn what_is_not_a_code_is_not_kept() {
        let known = RwLock::new(None);
        for text in ["", "lower", "WITH SPACE", "É", &"A".repeat(LONGEST + 1)] {
            assert_eq!(intern_in(&known, text), "REMOTE_ERROR");
        }
        assert!(known.read().unwrap().is_none());
    }
}
