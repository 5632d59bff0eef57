//! Opaque tokens: refresh tokens and setup links.
//!
//! A token is 48 bytes: whose it is (16, nil for the platform) and a 256-bit secret. The first part lets the holder's
//! row be looked up inside its tenant, under row-level security; it gives nothing away that the holder does not know,
//! and changing it makes another hash, which no row has. Only the SHA-256 of a token is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plaza_crypto::{hmac_sha256, random_bytes, sha256};
use plaza_kernel::{Scope, TenantId};
use secrecy::SecretString;
use uuid::Uuid;

const SCOPE: usize = 16;
const SECRET: usize = 32;

/// An opaque token.
#[derive(Clone)]
pub(crate) struct OpaqueToken([u8; SCOPE + SECRET]);

impl OpaqueToken {
    /// A new one.
    pub(crate) fn random(scope: Scope) -> Self {
        Self::of(scope, random_bytes())
    }

    /// The one that follows from the server's key and `from`: it can be made again, so it need not be stored.
    pub(crate) fn derived(scope: Scope, key: &[u8], purpose: &str, from: &[u8]) -> Self {
        // The purpose ends in a byte that no purpose contains, so that no two inputs run into each other.
        let input = [purpose.as_bytes(), &[0], from].concat();
        Self::of(scope, hmac_sha256(key, &input))
    }

    /// The refresh token that comes after this one.
    pub(crate) fn successor(&self, key: &[u8]) -> Self {
        Self::derived(self.scope(), key, "refresh", &self.0)
    }

    /// Reads what [`OpaqueToken::text`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // 48 bytes are 64 characters exactly: no padding and no spare bits, so one token has one spelling.
        if text.len() != (SCOPE + SECRET) / 3 * 4 {
            return None;
        }
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Whose rows it leads to.
    pub(crate) fn scope(&self) -> Scope {
        let mut bytes = [0; SCOPE];
        bytes.copy_from_slice(&self.0[..SCOPE]);
        TenantId::try_from(Uuid::from_bytes(bytes)).map_or(Scope::Platform, Scope::Tenant)
    }

    /// What is stored.
    pub(crate) fn hash(&self) -> Vec<u8> {
        sha256(&self.0).to_vec()
    }

    /// What its holder gets: 64 characters that need no escaping in a URL.
    pub(crate) fn text(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.0).into()
    }

    fn of(scope: Scope, secret: [u8; SECRET]) -> Self {
        let mut bytes = [0; SCOPE + SECRET];
        if let Scope::Tenant(tenant) = scope {
            bytes[..SCOPE].copy_from_slice(tenant.as_uuid().as_bytes());
        }
        bytes[SCOPE..].copy_from_slice(&secret);
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_knows_its_scope_and_has_one_spelling() {
        let tenant = Scope::Tenant(TenantId::generate(&Clock::system()));
        for scope in [tenant, Scope::Platform] {
            let token = OpaqueToken::random(scope);
            let text = token.text().expose_secret().to_owned();
            let read = OpaqueToken::parse(&text).unwrap();
            assert_eq!((read.scope(), read.hash()), (scope, token.hash()));
            for other in [
                format!("{text}="),
                format!(" {text}"),
                text[1..].to_owned(),
                text.replace(&text[..1], "+"),
            ] {
                assert!(OpaqueToken::parse(&other).is_none());
            }
        }
    }

    #[test]
    fn a_successor_follows_from_its_parent_and_the_key_alone() {
        let token = OpaqueToken::random(Scope::Platform);
        assert_eq!(token.successor(b"key").hash(), token.successor(b"key").hash());
        assert_ne!(
            token.successor(b"key").hash(),
            token.successor(b"other key").hash()
        );
        assert_ne!(token.successor(b"key").hash(), token.hash());
    }
}
