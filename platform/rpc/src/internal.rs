//! Internal trust: a service proves to another who it is, and whom it works for, with a short-lived signed token.
//!
//! The token is a transaction token in the manner of draft-ietf-oauth-transaction-tokens: a JWS (RFC 7515) with EdDSA
//! (RFC 8037), `typ: txn+jwt`, issued by the calling service for exactly one audience, good for thirty seconds. Each
//! service signs with an Ed25519 key of its own, so a token of one can never pass for a token of another.

mod claims;
mod keys;
mod signer;
mod verifier;

pub use claims::InternalClaims;
pub use keys::{InternalKeyError, InternalKeys};
pub use signer::Signer;
pub use verifier::{NotTrusted, Verifier};

use http::HeaderName;

/// The header, and gRPC metadata key, that the internal token travels in.
pub const INTERNAL_TOKEN: HeaderName = HeaderName::from_static("x-plaza-internal-token");

/// `typ` of an internal token.
const TYPE: &str = "txn+jwt";
/// How long a token is good for: seconds.
const LIFE: i64 = 30;
/// A token that is used again must have so much left: seconds. Covers the way to the callee and clocks that differ.
const LEFT: i64 = 10;
/// How much a signer's clock may be ahead: seconds.
const LEEWAY: i64 = 5;
/// Ours have about 500 characters.
const LONGEST: usize = 4096;
