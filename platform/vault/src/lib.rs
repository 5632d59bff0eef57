//! Vault: secrets of tenants, sealed with keys of their own, and sealed anew when keys change.
//!
//! Owns       in every schema that seals: `data_keys`
//! Offers     [`Vault`] (seals and opens), [`sealed!`] (declares a column that holds sealed values), [`Vault::check`] (no
//!            start without the keys), [`Vault::rotate`] and [`rewrapping`] (what follows from a new key), [`Vault::status`],
//!            [`Vault::shred`]
//! Needs      `kernel`, `crypto` (the ciphers), `database`, `schedule`
//!
//! A value is `v2.<data key>.<nonce>.<ciphertext>`, or `v1.<key of the ring>.…` if it is older than the vault. A data key is
//! wrapped by the first key of the ring; with another first key it is wrapped anew, and the values stay as they are.
//!
//! Read `vault.rs` first, then `rotate.rs`; `sealed.rs` is how a service says what it seals.

mod data_keys;
mod error;
mod open_keys;
mod rotate;
mod schedule;
mod schema;
mod sealed;
mod status;
mod vault;

pub use error::VaultError;
pub use rotate::{Rotated, Upgrade};
pub use schedule::rewrapping;
pub use schema::migrations;
#[doc(hidden)]
pub use sealed::{SEALED, SealedRow};
pub use sealed::{Sealed, registered};
pub use status::KeyUse;
pub use vault::Vault;

/// What the macro of this crate expands to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use linkme;
    pub use plaza_database::{Query, statements};
    pub use uuid::Uuid;
}
