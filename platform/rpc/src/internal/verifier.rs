//! Verifying tokens for one service, strictly (RFC 8725): one algorithm, one type, known issuers, known members only,
//! each in its one spelling.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plaza_crypto::sha256;
use plaza_kernel::{Clock, Failure, Kind, ServiceName};
use serde::Deserialize;

use super::claims::{Written, Wrong};
use super::{InternalClaims, InternalKeys, LONGEST, TYPE};
use crate::recent::Recent;

/// A token costs a verification once.
const TOKENS: usize = 16_384;

/// Why a token is not believed. For our own logs: whoever sent it learns nothing but that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// There is none.
    #[error("the internal token is missing")]
    Missing,
    /// Not in the form of a token of ours.
    #[error("the internal token cannot be read")]
    Form,
    /// The signature is not the issuer's, or nobody knows the issuer.
    #[error("the internal token is not signed by a known service")]
    Signature,
    /// It says something that ours do not say.
    #[error("the internal token's claims are not acceptable")]
    Claims,
    /// It is meant for another service.
    #[error("the internal token is for another service")]
    Audience,
    /// It is over, or does not hold yet, or lives too long.
    #[error("the internal token does not hold now")]
    Time,
}

impl Failure for NotTrusted {
    fn kind(&self) -> Kind {
        Kind::Unauthenticated
    }

    fn code(&self) -> &'static str {
        crate::status::NOT_TRUSTED
    }

    fn public_text(&self) -> String {
        "the calling service is not known".to_owned()
    }
}

impl From<Wrong> for NotTrusted {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Issuer => Self::Signature,
            Wrong::Claims => Self::Claims,
            Wrong::Audience => Self::Audience,
            Wrong::Time => Self::Time,
        }
    }
}

/// Verifies the tokens for one service. Clones share their memory.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    audience: ServiceName,
    keys: InternalKeys,
    clock: Clock,
    tokens: Recent<[u8; 32], Arc<InternalClaims>>,
}

/// Whatever else a header may hold (`jwk`, `jku`, `x5u`, `crit`, `zip`, `b64`, …) asks us to trust the token about itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

impl Verifier {
    pub(super) fn new(audience: ServiceName, keys: InternalKeys, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            audience,
            keys,
            clock,
            tokens: Recent::new(TOKENS),
        }))
    }

    /// What a token says, if it is to be believed. Only good tokens are remembered: strangers cannot fill the memory.
    ///
    /// # Errors
    /// [`NotTrusted`] with the reason.
    pub fn verify(&self, token: &str) -> Result<Arc<InternalClaims>, NotTrusted> {
        if token.len() > LONGEST {
            return Err(NotTrusted::Form);
        }
        let now = self.0.clock.now().timestamp();
        let hash = sha256(token.as_bytes());
        if let Some(known) = self.0.tokens.get(&hash) {
            return if now < known.exp {
                Ok(known)
            } else {
                Err(NotTrusted::Time)
            };
        }
        let claims = Arc::new(self.read(token, now)?);
        self.0.tokens.put(hash, Arc::clone(&claims));
        Ok(claims)
    }

    fn read(&self, token: &str, now: i64) -> Result<InternalClaims, NotTrusted> {
        let (message, signature) = token.rsplit_once('.').ok_or(NotTrusted::Form)?;
        let (header, claims) = message.split_once('.').ok_or(NotTrusted::Form)?;
        // A fourth part leaves a dot in the claims, which is no base64url.
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| NotTrusted::Form)?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return Err(NotTrusted::Form);
        }
        let issuer = self
            .0
            .keys
            .check(&header.kid, message.as_bytes(), &signature)
            .ok_or(NotTrusted::Signature)?;
        let claims: Written = serde_json::from_slice(&claims).map_err(|_| NotTrusted::Claims)?;
        Ok(claims.judge(issuer, self.0.audience, now)?)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, NotTrusted> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| NotTrusted::Form)
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.0.audience)
    }
}
