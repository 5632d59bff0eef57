//! Signing tokens in one service's name.

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use plaza_kernel::{Caller, Clock, ServiceName, SessionId, SystemRole, TenantId, UserId};

use super::claims::{Written, WrittenCaller, WrittenHost};
use super::{LEFT, LIFE, TYPE};
use crate::recent::Recent;

/// A token costs a signature once in twenty seconds for each audience and person.
const TOKENS: usize = 16_384;

/// Signs in the name of one service. Clones share their memory.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    service: ServiceName,
    pair: Arc<Ed25519KeyPair>,
    /// The first part of every token, in base64url.
    header: String,
    clock: Clock,
    tokens: Recent<Content, Arc<Token>>,
}

/// What a token says. The name of the host's tenant is compared apart, so that looking costs no copy of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Content {
    audience: ServiceName,
    caller: Option<(Option<TenantId>, UserId, SessionId, SystemRole)>,
    host: Option<TenantId>,
}

struct Token {
    value: HeaderValue,
    slug: Option<Box<str>>,
    /// Not handed out any more from here on: seconds since the Unix epoch.
    spent: i64,
}

impl Signer {
    pub(super) fn new(service: ServiceName, pair: Arc<Ed25519KeyPair>, clock: Clock) -> Self {
        let header = format!(r#"{{"alg":"EdDSA","typ":"{TYPE}","kid":"{service}"}}"#);
        Self(Arc::new(Inner {
            service,
            pair,
            header: URL_SAFE_NO_PAD.encode(header),
            clock,
            tokens: Recent::new(TOKENS),
        }))
    }

    /// In whose name it signs.
    pub fn service(&self) -> ServiceName {
        self.0.service
    }

    /// A token for one service, good for at least ten seconds more.
    pub fn token(
        &self,
        audience: ServiceName,
        caller: Option<&Caller>,
        host: Option<(TenantId, &str)>,
    ) -> HeaderValue {
        let content = Content {
            audience,
            caller: caller.map(|caller| (caller.scope, caller.subject, caller.session, caller.role)),
            host: host.map(|(tenant, _)| tenant),
        };
        let now = self.0.clock.now().timestamp();
        if let Some(token) = self.0.tokens.get(&content)
            && (token.spent - LIFE..token.spent).contains(&now)
            && token.slug.as_deref() == host.map(|(_, slug)| slug)
        {
            return token.value.clone();
        }
        let token = Arc::new(Token {
            value: self.sign(audience, caller, host, now),
            slug: host.map(|(_, slug)| slug.into()),
            spent: now + LIFE - LEFT,
        });
        self.0.tokens.put(content, Arc::clone(&token));
        token.value.clone()
    }

    fn sign(
        &self,
        audience: ServiceName,
        caller: Option<&Caller>,
        host: Option<(TenantId, &str)>,
        now: i64,
    ) -> HeaderValue {
        let claims = Written {
            iss: self.0.service.as_str().to_owned(),
            aud: audience.as_str().to_owned(),
            iat: now,
            exp: now + LIFE,
            jti: self.0.clock.uuid().to_string(),
            caller: caller.map(WrittenCaller::of),
            host: host.map(WrittenHost::of),
        };
        // Strings and numbers are always JSON; and if they were not, an empty token is nobody's.
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap_or_default());
        let message = format!("{}.{claims}", self.0.header);
        let signature = URL_SAFE_NO_PAD.encode(self.0.pair.sign(message.as_bytes()));
        // Base64url and dots are always a header's value.
        let mut value = HeaderValue::try_from(format!("{message}.{signature}"))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.0.service)
    }
}
