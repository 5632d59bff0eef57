//! Reading an access token, strictly (RFC 7515, RFC 8725, RFC 9068): one algorithm, one type, known members only, each
//! of the right JSON type and in its one spelling. The crate that verifies signatures is not asked to judge anything else.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plaza_contracts::tokens::{ACCESS_TOKEN_TYPE, AUDIENCE, AccessClaims};
use serde::Deserialize;

/// Ours have about 600 characters.
const LONGEST: usize = 4096;
/// No access token of ours lives longer, whatever its claims say: seconds.
const LONGEST_LIFE: i64 = 3600;

/// A token in its parts, nothing of it believed yet.
pub(crate) struct Unverified<'a> {
    /// The key it claims to be signed with.
    pub(crate) kid: String,
    /// What is signed.
    pub(crate) message: &'a str,
    /// Over it, in base64url.
    pub(crate) signature: &'a str,
    claims: Vec<u8>,
}

/// Whatever else a header may hold (`jwk`, `jku`, `x5u`, `crit`, `zip`, `b64`, …) asks us to trust the token about itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The ids as they are spelled.
#[derive(Deserialize)]
struct Spelling<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow, default)]
    tid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sid: Cow<'a, str>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; None for what is none of ours.
    pub(crate) fn read(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        // A fourth part leaves a dot in the claims, which is no base64url.
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let is_ours = header.alg == "EdDSA" && header.typ == ACCESS_TOKEN_TYPE && !header.kid.is_empty();
        is_ours.then_some(Self {
            kid: header.kid,
            message,
            signature,
            claims,
        })
    }

    /// The claims of a token whose signature is good, if they hold at this time (seconds since the Unix epoch).
    pub(crate) fn claims(&self, issuer: &str, now: i64, leeway: i64) -> Option<AccessClaims> {
        let claims: AccessClaims = serde_json::from_slice(&self.claims).ok()?;
        let is_ours = claims.iss == issuer && claims.aud == AUDIENCE && !claims.jti.is_empty();
        let is_now = now < claims.exp.saturating_add(leeway) && claims.iat <= now.saturating_add(leeway);
        let life = claims.exp.saturating_sub(claims.iat);
        let is_sane = (1..=LONGEST_LIFE).contains(&life) && claims.caller().is_some();
        (is_ours && is_now && is_sane && self.is_spelled_as(&claims)).then_some(claims)
    }

    /// A UUID has many spellings and only one is ours.
    fn is_spelled_as(&self, claims: &AccessClaims) -> bool {
        let Ok(spelling) = serde_json::from_slice::<Spelling<'_>>(&self.claims) else {
            return false;
        };
        spelling.sub == claims.sub.to_string()
            && spelling.sid == claims.sid.to_string()
            && spelling.tid.as_deref() == claims.tid.map(|tenant| tenant.to_string()).as_deref()
    }
}
