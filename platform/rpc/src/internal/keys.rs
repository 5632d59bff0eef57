//! The keys that services sign with, and by which they know each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plaza_crypto::hmac_sha256;
use plaza_kernel::{Clock, ServiceName};
use secrecy::{ExposeSecret, SecretString};

use super::{Signer, Verifier};

/// What a service's seed is derived from, before its name.
const PURPOSE: &str = "plaza internal ";
/// Names that only arrived in tokens; only holders of the installation's key can make one up.
const MOST_NAMES: usize = 64;
const LONGEST_NAME: usize = 32;

pub(super) type PublicKey = [u8; 32];

/// A key that was configured cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InternalKeyError {
    /// Not 32 bytes in base64.
    #[error("the internal key of {0} is not a seed of 32 bytes in base64")]
    Seed(ServiceName),
    /// Not 32 bytes in base64.
    #[error("the public internal key of {0} is not 32 bytes in base64")]
    Public(ServiceName),
    /// The seed of a service and its public key, both configured, are not of one pair.
    #[error("the internal key of {0} and its public key do not belong together")]
    NotAPair(ServiceName),
    /// Two services with one key could sign for each other.
    #[error("{0} and {1} have the same internal key")]
    Shared(ServiceName, ServiceName),
}

/// The internal keys that this process knows.
#[derive(Clone)]
pub struct InternalKeys(Arc<Source>);

enum Source {
    /// All services share one secret: whoever holds it can be each of them.
    Derived {
        installation: SecretString,
        names: RwLock<HashMap<&'static str, (ServiceName, PublicKey)>>,
    },
    /// This process can be only some of them.
    Separate {
        own: BTreeMap<ServiceName, Arc<Ed25519KeyPair>>,
        public: BTreeMap<ServiceName, PublicKey>,
    },
}

impl InternalKeys {
    /// One secret for the whole installation: a service's seed is HMAC-SHA256 of `plaza internal <name>` under it.
    pub fn derived(installation_key: &SecretString) -> Self {
        Self(Arc::new(Source::Derived {
            installation: installation_key.clone(),
            names: RwLock::default(),
        }))
    }

    /// A secret per service: the seeds of the services in this process, and the public keys of the others, all 32 bytes
    /// in base64. Nobody but a service's own process can sign for it.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn separate(
        own: BTreeMap<ServiceName, SecretString>,
        public: BTreeMap<ServiceName, String>,
    ) -> Result<Self, InternalKeyError> {
        let mut known = BTreeMap::new();
        for (service, text) in public {
            let key = bytes(&text).ok_or(InternalKeyError::Public(service))?;
            known.insert(service, key);
        }
        let mut pairs = BTreeMap::new();
        for (service, text) in own {
            let seed = bytes(text.expose_secret()).ok_or(InternalKeyError::Seed(service))?;
            let pair = pair(&seed).ok_or(InternalKeyError::Seed(service))?;
            let key = public_part(&pair).ok_or(InternalKeyError::Seed(service))?;
            if known.insert(service, key).is_some_and(|other| other != key) {
                return Err(InternalKeyError::NotAPair(service));
            }
            pairs.insert(service, Arc::new(pair));
        }
        refuse_shared(&known)?;
        Ok(Self(Arc::new(Source::Separate {
            own: pairs,
            public: known,
        })))
    }

    /// A private key of one's own and its public part, both in base64.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<(SecretString, String), aws_lc_rs::error::Unspecified> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed)?;
        let pair = pair(&seed).ok_or(aws_lc_rs::error::Unspecified)?;
        let public = public_part(&pair).ok_or(aws_lc_rs::error::Unspecified)?;
        Ok((STANDARD.encode(seed).into(), STANDARD.encode(public)))
    }

    /// What signs in a service's name; None when this process does not have its key.
    pub fn signer(&self, service: ServiceName, clock: Clock) -> Option<Signer> {
        let pair = match &*self.0 {
            Source::Derived { installation, .. } => Arc::new(pair(&seed(installation, service.as_str()))?),
            Source::Separate { own, .. } => own.get(&service)?.clone(),
        };
        self.introduce(service);
        Some(Signer::new(service, pair, clock))
    }

    /// What verifies the tokens for a service.
    pub fn verifier(&self, audience: ServiceName, clock: Clock) -> Verifier {
        self.introduce(audience);
        Verifier::new(audience, self.clone(), clock)
    }

    /// Whether a signature is this service's; then its name.
    pub(super) fn check(&self, name: &str, message: &[u8], signature: &[u8]) -> Option<ServiceName> {
        let (service, key) = match &*self.0 {
            Source::Derived { names, .. } => {
                let names = names.read().unwrap_or_else(PoisonError::into_inner);
                names
                    .get(name)
                    .map(|(service, key)| (Some(*service), *key))
                    .or_else(|| Some((None, self.public_part_of(name)?)))?
            }
            Source::Separate { public, .. } => public
                .iter()
                .find(|(service, _)| service.as_str() == name)
                .map(|(service, key)| (Some(*service), *key))?,
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(message, signature)
            .ok()?;
        service.or_else(|| self.name_for_good(name))
    }

    /// The derived public key of anything that could be a service's name.
    fn public_part_of(&self, name: &str) -> Option<PublicKey> {
        let is_name = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.bytes().all(|byte| byte.is_ascii_lowercase());
        match &*self.0 {
            Source::Derived { installation, .. } if is_name => public_part(&pair(&seed(installation, name))?),
            Source::Derived { .. } | Source::Separate { .. } => None,
        }
    }

    /// Makes a name known that our own sources spell.
    fn introduce(&self, service: ServiceName) {
        if let Source::Derived { names, .. } = &*self.0
            && let Some(key) = self.public_part_of(service.as_str())
        {
            let mut names = names.write().unwrap_or_else(PoisonError::into_inner);
            names.insert(service.as_str(), (service, key));
        }
    }

    /// A name that arrived with a good signature is one of the installation's, if not of this program's version.
    fn name_for_good(&self, name: &str) -> Option<ServiceName> {
        let Source::Derived { names, .. } = &*self.0 else {
            return None;
        };
        let key = self.public_part_of(name)?;
        let mut names = names.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((service, _)) = names.get(name) {
            return Some(*service);
        }
        if names.len() >= MOST_NAMES {
            return None;
        }
        // Bounded by MOST_NAMES and LONGEST_NAME; a service's name is a constant in the sources everywhere else.
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let service = ServiceName::new(name);
        names.insert(name, (service, key));
        Some(service)
    }
}

impl std::fmt::Debug for InternalKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InternalKeys")
    }
}

fn seed(installation: &SecretString, name: &str) -> [u8; 32] {
    hmac_sha256(
        installation.expose_secret().as_bytes(),
        format!("{PURPOSE}{name}").as_bytes(),
    )
}

fn pair(seed: &[u8; 32]) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed).ok()
}

fn public_part(pair: &Ed25519KeyPair) -> Option<PublicKey> {
    pair.public_key().as_ref().try_into().ok()
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

fn refuse_shared(known: &BTreeMap<ServiceName, PublicKey>) -> Result<(), InternalKeyError> {
    let mut seen: HashMap<&PublicKey, ServiceName> = HashMap::new();
    for (service, key) in known {
        if let Some(other) = seen.insert(key, *service) {
            return Err(InternalKeyError::Shared(other, *service));
        }
    }
    Ok(())
}
