//! AES-256-GCM over text: what the keys of a ring and data keys have in common.
//!
//! `<version>.<key>.<nonce>.<ciphertext>`, the last two in URL-safe base64. A random 96-bit nonce per value is safe for
//! 2³² values under one key (NIST SP 800-38D §8.3); rotate before.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretBox;

use crate::random::random_bytes;
use crate::{KeyRingError, SealContext};

/// How long a key is, in bytes.
pub(crate) const KEY_LEN: usize = 32;
const LONGEST_KEY_ID: usize = 32;

/// A key in use. The library wipes its copy of it when it is dropped.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    /// None unless it is 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    #[expect(clippy::expect_used, reason = "fails only above the 64 GiB that GCM allows")]
    pub(crate) fn seal(&self, version: &str, id: &str, context: &SealContext<'_>, plain: &[u8]) -> String {
        let nonce = random_bytes::<NONCE_LEN>();
        // Room for the tag from the start: growing would leave a copy of the plain text behind.
        let mut buffer = Vec::with_capacity(plain.len() + MAX_TAG_LEN);
        buffer.extend_from_slice(plain);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(authenticated(version, context)),
                &mut buffer,
            )
            .expect("AES-256-GCM seals what is shorter than 64 GiB");
        let (nonce, sealed) = (URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(buffer));
        format!("{version}.{id}.{nonce}.{sealed}")
    }

    pub(crate) fn open(
        &self,
        context: &SealContext<'_>,
        parts: Parts<'_>,
    ) -> Result<SecretBox<Vec<u8>>, KeyRingError> {
        let aad = Aad::from(authenticated(parts.version, context));
        let mut buffer = parts.ciphertext;
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(parts.nonce), aad, &mut buffer)
            .map_err(|_| KeyRingError::DoesNotOpen)?
            .len();
        buffer.truncate(length);
        Ok(SecretBox::new(Box::new(buffer)))
    }
}

/// The format's version and the place of the value, each with its length before it, so that `ab` + `c` is not `a` + `bc`.
fn authenticated(version: &str, context: &SealContext<'_>) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    for part in [
        version,
        context.tenant,
        context.table,
        context.column,
        context.row,
    ] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

/// A sealed value, taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) version: &'a str,
    pub(crate) id: &'a str,
    nonce: [u8; NONCE_LEN],
    /// With its tag.
    ciphertext: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// None unless the text has the form of a sealed value.
    pub(crate) fn of(sealed: &'a str) -> Option<Self> {
        let mut parts = sealed.split('.');
        let (version, id, nonce, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if !is_key_id(id) || parts.next().is_some() {
            return None;
        }
        let nonce = URL_SAFE_NO_PAD.decode(nonce).ok()?.try_into().ok()?;
        let ciphertext = URL_SAFE_NO_PAD.decode(text).ok()?;
        (ciphertext.len() >= MAX_TAG_LEN).then_some(Self {
            version,
            id,
            nonce,
            ciphertext,
        })
    }
}

/// 1 to 32 letters, digits, `-` or `_`.
pub(crate) fn is_key_id(id: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_KEY_ID).contains(&id.len()) && id.bytes().all(known)
}
