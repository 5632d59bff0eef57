//! A forge: makes signed tokens, good ones and all kinds of others.

mod variants;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plaza_crypto::hmac_sha256;
use serde_json::{Value, json};

pub use variants::{Template, respelled, variants};

/// A signing key as identity has one.
pub struct Forge {
    pair: Ed25519KeyPair,
    /// What tokens call it.
    pub kid: String,
}

impl Forge {
    /// A key that nobody knows yet.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub fn new(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap_or_else(|_| panic!("no key could be made"));
        Self::of(pair, kid)
    }

    /// The key of this seed.
    ///
    /// # Panics
    /// When it is none.
    pub fn seeded(seed: &[u8; 32], kid: &str) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap_or_else(|_| panic!("no seed"));
        Self::of(pair, kid)
    }

    fn of(pair: Ed25519KeyPair, kid: &str) -> Self {
        let kid = kid.to_owned();
        Self { pair, kid }
    }

    /// Its public part.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The same as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let x = encode(self.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x})
    }

    /// A set of such keys, as text.
    pub fn jwks(keys: &[&Self]) -> String {
        json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
    }

    /// The header of an access token.
    pub fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid})
    }

    /// A token of these two parts, with a good signature.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The same of texts, which need not be JSON.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", encode(signature.as_ref()))
    }
}

/// Base64 for URLs, without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token "signed" with a MAC: where its key is public, or is some other key of ours.
pub fn hs256(key: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    format!("{message}.{}", encode(hmac_sha256(key, message.as_bytes())))
}
