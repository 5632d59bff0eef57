//! Randomness for secrets, from the operating system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secret may be made then.
#[expect(clippy::expect_used, reason = "without randomness the process must not go on")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A 256-bit token as 43 characters of URL-safe base64.
pub fn random_token() -> SecretString {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>()).into()
}
