//! Crypto: the few operations on secrets that Plaza needs, each in one place, all on aws-lc.
//!
//! Offers     [`KeyRing`] and [`DataKey`] (AES-256-GCM at rest), [`sha256`], [`Sha256`], [`hmac_sha256`], [`hmac_sha1`], [`constant_time_eq`], [`random_token`]
//! Needs      nothing of Plaza

mod cipher;
mod data_key;
mod digest;
mod keyring;
mod random;

pub use data_key::{DataKey, SealedWith};
pub use digest::{Sha256, constant_time_eq, hmac_sha1, hmac_sha256, sha256};
pub use keyring::{KeyRing, KeyRingError, SealContext};
pub use random::{random_bytes, random_token};
