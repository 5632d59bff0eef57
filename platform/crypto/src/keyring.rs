//! Secrets at rest: AES-256-GCM under a ring of keys.
//!
//! A sealed value is text: `v1.<key>.<nonce>.<ciphertext>`. What is authenticated beside the ciphertext is the
//! format's version and the place of the value (tenant, table, column, row), each with its length before it, so
//! that `ab` + `c` is not `a` + `bc`. The key's id is left out: it only picks a key, and a wrong key opens nothing.
//!
//! How a value is made is in `cipher.rs`; the keys of tenants, which the ring wraps, are in `data_key.rs`.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::cipher::{Cipher, KEY_LEN, Parts, is_key_id};
use crate::random::random_bytes;

pub(crate) const VERSION: &str = "v1";

/// Keys are typed by people: padding may be missing.
const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where a sealed value lives: it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    /// Tenant id, or `platform`.
    pub tenant: &'a str,
    /// `schema.table`.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row's id.
    pub row: &'a str,
}

/// A sealed value or a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The text that describes the ring is not `id:base64[,id:base64…]` with 32-byte keys.
    #[error("the encryption keys are not `id:base64[,id:base64…]` of 32 bytes each")]
    MalformedRing,
    /// The value is not `v1.<key>.<nonce>.<ciphertext>`.
    #[error("not a sealed value")]
    MalformedValue,
    /// The ring does not have the key any more.
    #[error("sealed with a key that the ring does not have")]
    UnknownKey,
    /// Changed, or moved from where it was sealed.
    #[error("does not open: changed or moved")]
    DoesNotOpen,
}

/// Keys by id; the first one seals, every one opens.
///
/// To rotate, put a new key in front and keep the old ones until everything is sealed anew.
#[derive(Clone)]
pub struct KeyRing {
    first: Arc<Key>,
    others: Arc<[Key]>,
}

struct Key {
    id: String,
    cipher: Cipher,
}

impl KeyRing {
    /// Reads `id:base64[,id:base64…]`. An id is 1 to 32 letters, digits, `-` or `_`, and unique; white space around
    /// an entry is ignored.
    pub fn parse(text: &SecretString) -> Result<Self, KeyRingError> {
        let mut keys = Vec::new();
        for entry in text.expose_secret().split(',') {
            let key = Key::parse(entry.trim())?;
            if keys.iter().any(|other: &Key| other.id == key.id) {
                return Err(KeyRingError::MalformedRing);
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyRingError::MalformedRing)?;
        Ok(Self {
            first: Arc::new(first),
            others: keys.collect(),
        })
    }

    /// A new ring of one random key, as [`KeyRing::parse`] reads it.
    pub fn generate() -> SecretString {
        let key = Zeroizing::new(random_bytes::<KEY_LEN>());
        let id = hex::encode(random_bytes::<4>());
        let key = Zeroizing::new(STANDARD.encode(key.as_slice()));
        format!("k{id}:{}", key.as_str()).into()
    }

    /// Seals: `v1.<key>.<nonce>.<ciphertext>`, the last two in URL-safe base64.
    ///
    /// # Panics
    /// When the operating system has no randomness to give, or for a value above 64 GiB.
    pub fn seal(&self, context: &SealContext<'_>, plain: &[u8]) -> String {
        self.first.cipher.seal(VERSION, &self.first.id, context, plain)
    }

    /// Opens what was sealed in the same place.
    pub fn open(&self, context: &SealContext<'_>, sealed: &str) -> Result<SecretBox<Vec<u8>>, KeyRingError> {
        let parts = split(sealed).ok_or(KeyRingError::MalformedValue)?;
        let key = self.key(parts.id).ok_or(KeyRingError::UnknownKey)?;
        key.cipher.open(context, parts)
    }

    /// The ids of its keys; the first one seals.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.first)
            .chain(&*self.others)
            .map(|key| key.id.as_str())
    }

    /// The id of the key that seals.
    pub fn first_id(&self) -> &str {
        &self.first.id
    }

    /// Whether a value was sealed with an older key than the one that seals now.
    pub fn is_outdated(&self, sealed: &str) -> bool {
        split(sealed).is_some_and(|parts| parts.id != self.first.id)
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&*self.first)
            .chain(&*self.others)
            .find(|key| key.id == id)
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&str> = self.ids().collect();
        f.debug_struct("KeyRing")
            .field("ids", &ids)
            .finish_non_exhaustive()
    }
}

impl Key {
    fn parse(entry: &str) -> Result<Self, KeyRingError> {
        let (id, text) = entry.split_once(':').ok_or(KeyRingError::MalformedRing)?;
        let bytes = Zeroizing::new(KEY_TEXT.decode(text).map_err(|_| KeyRingError::MalformedRing)?);
        if !is_key_id(id) || bytes.len() != KEY_LEN {
            return Err(KeyRingError::MalformedRing);
        }
        Ok(Self {
            id: id.to_owned(),
            cipher: Cipher::new(&bytes).ok_or(KeyRingError::MalformedRing)?,
        })
    }
}

fn split(sealed: &str) -> Option<Parts<'_>> {
    Parts::of(sealed).filter(|parts| parts.version == VERSION)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: SealContext<'static> = SealContext {
        tenant: "t1",
        table: "notification.senders",
        column: "access_token",
        row: "r1",
    };

    fn ring() -> KeyRing {
        KeyRing::parse(&KeyRing::generate()).unwrap()
    }

    fn opened(ring: &KeyRing, context: &SealContext<'_>, sealed: &str) -> Result<Vec<u8>, KeyRingError> {
        ring.open(context, sealed)
            .map(|plain| plain.expose_secret().clone())
    }

    #[test]
    fn what_was_sealed_opens_in_the_same_place() {
        let ring = ring();
        for plain in [b"".as_slice(), b"EAAG token", &[0xff; 10_000]] {
            assert_eq!(opened(&ring, &HERE, &ring.seal(&HERE, plain)).unwrap(), plain);
        }
    }

    #[test]
    fn the_same_secret_never_looks_the_same_twice() {
        let ring = ring();
        assert_ne!(ring.seal(&HERE, b"secret"), ring.seal(&HERE, b"secret"));
    }

    #[test]
    fn a_value_that_was_moved_does_not_open() {
        let ring = ring();
        let sealed = ring.seal(&HERE, b"secret");
        for elsewhere in [
            SealContext { tenant: "t2", ..HERE },
            SealContext {
                table: "identity.users",
                ..HERE
            },
            SealContext {
                column: "app_secret",
                ..HERE
            },
            SealContext { row: "r2", ..HERE },
            // The same characters, cut elsewhere.
            SealContext {
                column: "access_tokenr1",
                row: "",
                ..HERE
            },
            SealContext {
                tenant: "t1n",
                table: "otification.senders",
                ..HERE
            },
        ] {
            assert_eq!(opened(&ring, &elsewhere, &sealed), Err(KeyRingError::DoesNotOpen));
        }
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let ring = ring();
        let sealed = ring.seal(&HERE, b"secret");
        for position in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(opened(&ring, &HERE, &changed).is_err(), "byte {position}");
        }
    }

    #[test]
    fn the_first_key_seals_and_the_others_open() {
        let (old, new) = (KeyRing::generate(), KeyRing::generate());
        let old_ring = KeyRing::parse(&old).unwrap();
        let both = format!("{}, {}\n", new.expose_secret(), old.expose_secret()).into();
        let both = KeyRing::parse(&both).unwrap();
        let new_ring = KeyRing::parse(&new).unwrap();

        let before = old_ring.seal(&HERE, b"secret");
        let after = both.seal(&HERE, b"secret");

        assert_eq!(opened(&both, &HERE, &before).unwrap(), b"secret");
        assert_eq!(opened(&new_ring, &HERE, &after).unwrap(), b"secret");
        assert_eq!(opened(&old_ring, &HERE, &after), Err(KeyRingError::UnknownKey));
        assert!(both.is_outdated(&before) && !both.is_outdated(&after));
    }

    #[test]
    fn the_right_id_with_another_key_opens_nothing() {
        let key = |byte: u8| format!("main:{}", STANDARD.encode([byte; 32])).into();
        let (one, other) = (KeyRing::parse(&key(1)).unwrap(), KeyRing::parse(&key(2)).unwrap());
        assert_eq!(
            opened(&other, &HERE, &one.seal(&HERE, b"secret")),
            Err(KeyRingError::DoesNotOpen)
        );
    }

    #[test]
    fn text_that_is_no_ring_is_refused() {
        let good = STANDARD.encode([7; 32]);
        let unpadded = good.trim_end_matches('=');
        assert!(KeyRing::parse(&format!("a:{unpadded}").into()).is_ok());
        for text in [
            String::new(),
            good.clone(),
            format!(":{good}"),
            format!("a.b:{good}"),
            format!("{}:{good}", "a".repeat(33)),
            format!("a:{}", STANDARD.encode([7; 31])),
            format!("a:{good},"),
            format!("a:{good},a:{good}"),
            format!("a:{good}x"),
        ] {
            assert_eq!(
                KeyRing::parse(&text.clone().into()).err(),
                Some(KeyRingError::MalformedRing),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_shows_ids_and_no_key() {
        let text = format!("main:{}", STANDARD.encode([7; 32]));
        let shown = format!("{:?}", KeyRing::parse(&text.into()).unwrap());
        assert_eq!(shown, r#"KeyRing { ids: ["main"], .. }"#);
    }

    proptest! {
        #[test]
        fn rubbish_is_refused_without_a_panic(text in "\\PC{0,200}", shaped in "v1\\.[a-z]{0,3}\\.[A-Za-z0-9_-]{0,20}\\.[A-Za-z0-9_-]{0,60}") {
            let ring = ring();
            prop_assert!(ring.open(&HERE, &text).is_err());
            prop_assert!(ring.open(&HERE, &shaped).is_err());
            let _ = KeyRing::parse(&text.into());
        }
    }
}
