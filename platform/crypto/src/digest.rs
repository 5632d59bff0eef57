//! Hashes and message authentication.

use aws_lc_rs::{constant_time, digest, hmac};

/// SHA-256 (FIPS 180-4).
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// SHA-256 of what comes in pieces.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Of this too.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Of all that came.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&key, data).as_ref());
    out
}

/// HMAC-SHA-1 (RFC 2104): for what others sign in that way (Twilio's webhooks). Nothing of ours is.
pub fn hmac_sha1(key: &[u8], data: &[u8]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut out = [0; 20];
    out.copy_from_slice(hmac::sign(&key, data).as_ref());
    out
}

/// Compares without telling by its duration where the two differ. Different lengths are unequal.
pub fn constant_time_eq(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let mut pieces = Sha256::new();
        for piece in [&b"a"[..], b"", b"bc"] {
            pieces.update(piece);
        }
        assert_eq!(pieces.finish(), sha256(b"abc"));
    }

    // The vectors of Meta's webhook signature: key `secret`, body `test`.
    #[test]
    fn hmac_gives_the_published_vector() {
        let mac = hex::encode(hmac_sha256(b"secret", b"test"));
        assert_eq!(
            mac,
            "0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"
        );
    }

    // RFC 2202 §3, test case 2.
    #[test]
    fn hmac_sha1_gives_the_published_vector() {
        let mac = hex::encode(hmac_sha1(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(mac, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    // The signature of p2-inc/keycloak-events: lower-case hexadecimal, over the exact body.
    #[test]
    fn a_keycloak_callback_is_a_mac_over_its_body() {
        let mac = |body: &[u8]| hex::encode(hmac_sha256(b"A3jt6D8lz", body));
        let signature = mac(br#"{"type":"access.LOGIN"}"#);
        assert_eq!(
            signature,
            "5958ee6c4f2ae0e8f3fb61a53a935703abad2b24a2bf3ff31fcd56547fd83d77"
        );
        assert_ne!(mac(br#"{"type":"access.LOGOUT"}"#), signature);
    }

    #[test]
    fn a_prefix_is_not_equal() {
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"ab"));
        assert!(!constant_time_eq(b"abc", b""));
    }
}
