//! Makes tokens that no service of ours would sign.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use plaza_crypto::hmac_sha256;
use plaza_kernel::{Caller, Clock, ManualClock, ServiceName, SystemRole, TenantId};
use plaza_rpc::InternalKeys;
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const FRONT: ServiceName = ServiceName::new("gateway");
pub(crate) const IDENTITY: ServiceName = ServiceName::new("identity");
pub(crate) const ACCESS: ServiceName = ServiceName::new("access");

pub(crate) const INSTALLATION: &str = "the installation's key, long enough to be one";
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn keys() -> InternalKeys {
    InternalKeys::derived(&SecretString::from(INSTALLATION))
}

pub(crate) fn clock() -> (Clock, ManualClock) {
    Clock::manual(DateTime::from_timestamp(NOW, 0).unwrap())
}

pub(crate) fn member(clock: &Clock) -> Caller {
    Caller {
        scope: Some(TenantId::generate(clock)),
        subject: clock.uuid().into(),
        session: clock.uuid().into(),
        role: SystemRole::Member,
    }
}

pub(crate) fn seed(name: &str) -> [u8; 32] {
    hmac_sha256(
        INSTALLATION.as_bytes(),
        format!("plaza internal {name}").as_bytes(),
    )
}

/// A token in the making.
#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) seed: [u8; 32],
}

impl Forge {
    /// What the gateway would sign for access.
    pub(crate) fn good() -> Self {
        Self {
            header: json!({ "alg": "EdDSA", "typ": "txn+jwt", "kid": "gateway" }),
            claims: json!({
                "iss": "gateway", "aud": "access", "iat": NOW, "exp": NOW + 30,
                "jti": "0190a3c2-7b1e-7c3d-8e4f-5a6b7c8d9e0f",
                "caller": {
                    "scope": "0190a3c2-7b1e-7c3d-8e4f-5a6b7c8d9e01",
                    "subject": "0190a3c2-7b1e-7c3d-8e4f-5a6b7c8d9e02",
                    "session": "0190a3c2-7b1e-7c3d-8e4f-5a6b7c8d9e03",
                    "role": "member",
                },
                "host": { "tenant": "0190a3c2-7b1e-7c3d-8e4f-5a6b7c8d9e01", "slug": "acme" },
            }),
            seed: seed("gateway"),
        }
    }

    /// With another value of a claim, named by a JSON pointer; null takes it away.
    pub(crate) fn claim(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.claims, pointer, value);
        self
    }

    /// With another value in the header.
    pub(crate) fn header(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.header, pointer, value);
        self
    }

    pub(crate) fn sign(&self) -> String {
        self.sign_text(&self.header.to_string(), &self.claims.to_string())
    }

    /// Signs what JSON values cannot say.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.seed).unwrap();
        let signature = pair.sign(message.as_bytes());
        format!("{message}.{}", encode(signature.as_ref()))
    }
}

fn set(value: &mut Value, pointer: &str, new: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if new.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), new);
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
