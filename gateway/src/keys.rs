//! Identity's public keys (RFC 7517): a fixed set, looked up by `kid` and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey};
use plaza_contracts::proto::identity::SigningKeysRequest;
use plaza_contracts::proto::identity::identity_client::IdentityClient;
use plaza_contracts::remembered::{NotKnown, Remembered};
use plaza_kernel::Clock;
use plaza_rpc::{RpcError, Transport};
use serde::Deserialize;

use crate::confirmed::ANSWER_WITHIN;
use crate::settings::{GatewaySettings, seconds};

/// The keys of one moment.
#[derive(Default)]
pub(crate) struct KeySet(HashMap<String, DecodingKey>);

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

/// The members that matter of an Ed25519 key (RFC 8037).
#[derive(Deserialize)]
struct Okp {
    kty: String,
    crv: String,
    kid: String,
    x: String,
}

impl KeySet {
    /// Keys of other kinds are none of ours.
    fn read(jwks: &str) -> Self {
        let keys = serde_json::from_str::<Jwks>(jwks)
            .map(|set| set.keys)
            .unwrap_or_default();
        let ours = keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Okp>(key).ok());
        let ours = ours.filter(|key| key.kty == "OKP" && key.crv == "Ed25519" && !key.kid.is_empty());
        let keys = ours.filter_map(|key| Some((key.kid, DecodingKey::from_ed_components(&key.x).ok()?)));
        Self(keys.collect())
    }

    fn has(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// Whether the key of this id made the signature (base64url) over the message.
    pub(crate) fn verify(&self, kid: &str, message: &str, signature: &str) -> bool {
        let Some(key) = self.0.get(kid) else { return false };
        // Ed25519 whatever the token says: the algorithm is a property of the key.
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, Algorithm::EdDSA).unwrap_or(false)
    }
}

/// The keys as identity gives them, remembered.
pub(crate) struct Keys {
    identity: IdentityClient<Transport>,
    clock: Clock,
    set: Remembered<Arc<KeySet>>,
    remembered_for: TimeDelta,
    cooldown: TimeDelta,
    /// When an unknown key last caused a question.
    missed: Mutex<Option<DateTime<Utc>>>,
}

impl Keys {
    pub(crate) fn new(identity: IdentityClient<Transport>, clock: Clock, settings: &GatewaySettings) -> Self {
        let (remembered_for, cooldown) = (
            seconds(settings.keys_seconds),
            seconds(settings.keys_cooldown_seconds),
        );
        Self {
            identity,
            clock,
            set: Remembered::default(),
            remembered_for,
            cooldown,
            missed: Mutex::default(),
        }
    }

    /// The set in which to look for this key. An unknown id causes a new question, because identity may just have
    /// changed its key; but not more often than the cool-down says, however many strangers invent ids.
    pub(crate) async fn for_key(&self, kid: &str) -> Result<Arc<KeySet>, NotKnown> {
        let is_young = |age: TimeDelta| age < self.remembered_for;
        // Whoever comes while the question is under way waits for its answer.
        let waits = self.set.is_being_asked();
        let is_good =
            |set: &Arc<KeySet>, age| is_young(age) && (set.has(kid) || (!waits && self.is_cooling_down()));
        if let Some(set) = self.set.known(self.clock.now(), is_good) {
            return Ok(set);
        }
        let is_good = |set: &Arc<KeySet>, age| is_young(age) && (set.has(kid) || self.is_cooling_down());
        // While identity is away its last keys stand; sessions are what fails closed.
        self.set
            .ask(&self.clock, is_good, |_, _| true, || self.ask())
            .await
    }

    fn is_cooling_down(&self) -> bool {
        let missed = *self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.is_some_and(|at| self.clock.now() - at < self.cooldown)
    }

    fn ask(&self) -> impl Future<Output = Result<Arc<KeySet>, RpcError>> + Send + use<> {
        let now = self.clock.now();
        // A question because the set had become old does not count: the next unknown key may be a real one.
        if self.set.known(now, |_, age| age < self.remembered_for).is_some() {
            *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        let mut identity = self.identity.clone();
        async move {
            let mut request = tonic::Request::new(SigningKeysRequest {});
            request.set_timeout(ANSWER_WITHIN);
            let reply = identity.signing_keys(request).await?.into_inner();
            Ok(Arc::new(KeySet::read(&reply.jwks)))
        }
    }
}
