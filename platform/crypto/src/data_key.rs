//! Data keys: each seals the values of one tenant, or of the platform, and lies in the database wrapped by the key ring.
//!
//! So a new key in the ring means wrapping a few hundred bytes anew per tenant, and a tenant whose data keys are gone has
//! no secret left that anybody could open, but with a backup from before.

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox};

use crate::cipher::{Cipher, KEY_LEN, Parts, is_key_id};
use crate::keyring::{self, KeyRing};
use crate::random::random_bytes;
use crate::{KeyRingError, SealContext};

const VERSION: &str = "v2";

/// A key that seals values: `v2.<id>.<nonce>.<ciphertext>`.
pub struct DataKey {
    id: String,
    cipher: Cipher,
}

impl DataKey {
    /// A new random key, and the same wrapped by the first key of the ring, for the place where it is to be kept.
    ///
    /// # Errors
    /// [`KeyRingError::MalformedRing`] if the id is not 1 to 32 letters, digits, `-` or `_`.
    pub fn generate(
        id: &str,
        ring: &KeyRing,
        place: &SealContext<'_>,
    ) -> Result<(Self, String), KeyRingError> {
        let key = Zeroizing::new(random_bytes::<KEY_LEN>());
        let wrapped = ring.seal(place, key.as_slice());
        Ok((Self::of(id, key.as_slice())?, wrapped))
    }

    /// The key that was wrapped in this place.
    ///
    /// # Errors
    /// What [`KeyRing::open`] says, and [`KeyRingError::DoesNotOpen`] if what opens is no key.
    pub fn unwrapped(
        id: &str,
        ring: &KeyRing,
        place: &SealContext<'_>,
        wrapped: &str,
    ) -> Result<Self, KeyRingError> {
        let key = ring.open(place, wrapped)?;
        Self::of(id, key.expose_secret()).map_err(|_| KeyRingError::DoesNotOpen)
    }

    fn of(id: &str, key: &[u8]) -> Result<Self, KeyRingError> {
        let cipher = Cipher::new(key).filter(|_| is_key_id(id));
        Ok(Self {
            id: id.to_owned(),
            cipher: cipher.ok_or(KeyRingError::MalformedRing)?,
        })
    }

    /// Its id: what values name it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals: `v2.<id>.<nonce>.<ciphertext>`, the last two in URL-safe base64.
    ///
    /// # Panics
    /// When the operating system has no randomness to give, or for a value above 64 GiB.
    pub fn seal(&self, context: &SealContext<'_>, plain: &[u8]) -> String {
        self.cipher.seal(VERSION, &self.id, context, plain)
    }

    /// Opens what it sealed in the same place.
    ///
    /// # Errors
    /// [`KeyRingError::MalformedValue`], [`KeyRingError::UnknownKey`] for the value of another key,
    /// [`KeyRingError::DoesNotOpen`].
    pub fn open(&self, context: &SealContext<'_>, sealed: &str) -> Result<SecretBox<Vec<u8>>, KeyRingError> {
        let parts = Parts::of(sealed).filter(|parts| parts.version == VERSION);
        let parts = parts.ok_or(KeyRingError::MalformedValue)?;
        if parts.id != self.id {
            return Err(KeyRingError::UnknownKey);
        }
        self.cipher.open(context, parts)
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Which key a value was sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedWith<'a> {
    /// A key of the ring, by its id: `v1`.
    Ring(&'a str),
    /// A data key, by its id: `v2`.
    DataKey(&'a str),
}

impl<'a> SealedWith<'a> {
    /// Reads it off the value; none if the text is no sealed value.
    pub fn of(sealed: &'a str) -> Option<Self> {
        let parts = Parts::of(sealed)?;
        match parts.version {
            keyring::VERSION => Some(Self::Ring(parts.id)),
            VERSION => Some(Self::DataKey(parts.id)),
            _ => None,
        }
    }
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

    const KEPT: SealContext<'static> = SealContext {
        tenant: "t1",
        table: "notification.data_keys",
        column: "wrapped",
        row: "d1",
    };

    fn ring() -> KeyRing {
        KeyRing::parse(&KeyRing::generate()).unwrap()
    }

    #[test]
    fn a_key_that_was_wrapped_opens_what_it_sealed() {
        let ring = ring();
        let (key, wrapped) = DataKey::generate("d1", &ring, &KEPT).unwrap();
        let sealed = key.seal(&HERE, b"secret");
        let again = DataKey::unwrapped("d1", &ring, &KEPT, &wrapped).unwrap();
        assert_eq!(again.open(&HERE, &sealed).unwrap().expose_secret(), b"secret");
    }

    #[test]
    fn a_wrapped_key_opens_in_its_place_only() {
        let ring = ring();
        let (_, wrapped) = DataKey::generate("d1", &ring, &KEPT).unwrap();
        let of_another = SealContext { tenant: "t2", ..KEPT };
        let answer = DataKey::unwrapped("d1", &ring, &of_another, &wrapped);
        assert_eq!(answer.err(), Some(KeyRingError::DoesNotOpen));
        let sealed = ring.seal(&KEPT, b"sixteen bytes it");
        let answer = DataKey::unwrapped("d1", &ring, &KEPT, &sealed);
        assert_eq!(answer.err(), Some(KeyRingError::DoesNotOpen), "it is no key");
    }

    #[test]
    fn a_value_says_what_it_was_sealed_with_and_opens_with_nothing_else() {
        let ring = ring();
        let (key, _) = DataKey::generate("d1", &ring, &KEPT).unwrap();
        let (old, new) = (ring.seal(&HERE, b"secret"), key.seal(&HERE, b"secret"));
        assert!(matches!(SealedWith::of(&old), Some(SealedWith::Ring(_))));
        assert_eq!(SealedWith::of(&new), Some(SealedWith::DataKey("d1")));
        assert_eq!(SealedWith::of("secret"), None);
        assert_eq!(ring.open(&HERE, &new).err(), Some(KeyRingError::MalformedValue));
        assert_eq!(key.open(&HERE, &old).err(), Some(KeyRingError::MalformedValue));
        let (other, _) = DataKey::generate("d2", &ring, &KEPT).unwrap();
        assert_eq!(other.open(&HERE, &new).err(), Some(KeyRingError::UnknownKey));
    }

    #[test]
    fn a_value_does_not_open_in_another_place() {
        let (key, _) = DataKey::generate("d1", &ring(), &KEPT).unwrap();
        let sealed = key.seal(&HERE, b"secret");
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
            SealContext {
                column: "access_tokenr1",
                row: "",
                ..HERE
            },
        ] {
            assert_eq!(
                key.open(&elsewhere, &sealed).err(),
                Some(KeyRingError::DoesNotOpen)
            );
        }
    }

    proptest! {
        /// Changing any byte of a sealed value, to any other, leaves nothing that opens.
        #[test]
        fn any_byte_changed_and_it_does_not_open(
            plain in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), to in 0x20_u8..0x7f,
        ) {
            let (key, _) = DataKey::generate("d1", &ring(), &KEPT).unwrap();
            let mut bytes = key.seal(&HERE, &plain).into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert!(key.open(&HERE, &changed).is_err());
        }

        #[test]
        fn rubbish_is_refused_without_a_panic(text in "\\PC{0,200}", shaped in "v2\\.d1\\.[A-Za-z0-9_-]{0,20}\\.[A-Za-z0-9_-]{0,60}") {
            let (key, _) = DataKey::generate("d1", &ring(), &KEPT).unwrap();
            prop_assert!(key.open(&HERE, &text).is_err());
            prop_assert!(key.open(&HERE, &shaped).is_err());
        }
    }
}
