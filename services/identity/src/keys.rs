//! The keys that identity signs and derives with.
//!
//! Access tokens are signed with Ed25519. Private keys lie in the database, sealed by the vault; the key set shows
//! the public parts of the present key and of those replaced so recently that a token of theirs may still be alive.
//! One more secret, from which refresh tokens and setup links are derived, lies there in the same way.

mod store;

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::pkcs8::Document;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use plaza_contracts::tokens::{ACCESS_TOKEN_TYPE, AccessClaims};
use plaza_crypto::{KeyRingError, random_bytes, sha256};
use plaza_database::{Database, DatabaseError, PlatformTx};
use plaza_kernel::{Clock, Failure, Kind, Scope};
use plaza_vault::{Sealed, Vault, VaultError};
use secrecy::{ExposeSecret, SecretBox};

plaza_vault::sealed! {
    /// Private keys.
    static SIGNING_KEYS: platform "identity.signing_keys" (kid: text) sealed;
}
plaza_vault::sealed! {
    /// What opaque tokens are derived from.
    static SERVER_SECRETS: platform "identity.server_secrets" (name: text) sealed;
}

/// The keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database failed.
    #[error("the keys could not be read")]
    Database(#[from] DatabaseError),
    /// The key ring does not open them: it is not the one they were sealed with.
    #[error("the keys do not open with the configured encryption key")]
    Sealed(#[from] KeyRingError),
    /// The cryptographic library refused.
    #[error("a key could not be made or used: {0}")]
    Unusable(&'static str),
}

impl From<VaultError> for KeysError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => Self::Database(error),
            VaultError::Sealed(error) => Self::Sealed(error),
            _ => Self::Unusable("the vault refuses"),
        }
    }
}

impl Failure for KeysError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Sealed(_) | Self::Unusable(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::Sealed(_) | Self::Unusable(_) => "INTERNAL",
        }
    }
}

/// The keys of the moment, opened.
pub(crate) struct OpenKeys {
    kid: String,
    signing: EncodingKey,
    server: SecretBox<Vec<u8>>,
}

impl OpenKeys {
    /// Signs an access token (RFC 9068).
    pub(crate) fn sign(&self, claims: &AccessClaims) -> Result<String, KeysError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.signing)
            .map_err(|_| KeysError::Unusable("signing failed"))
    }

    /// What opaque tokens are derived from.
    pub(crate) fn server(&self) -> &[u8] {
        self.server.expose_secret()
    }
}

/// The keys, read when first needed.
pub(crate) struct Keys {
    database: Database,
    vault: Vault,
    clock: Clock,
    /// The age at which the signing key is replaced.
    replace_after: TimeDelta,
    /// How long a replaced key is still shown.
    show_for: TimeDelta,
    open: RwLock<Option<Arc<OpenKeys>>>,
}

impl Keys {
    pub(crate) fn new(
        database: Database,
        vault: Vault,
        clock: Clock,
        replace_after: TimeDelta,
        token_life: TimeDelta,
    ) -> Self {
        // A day more than the longest token, for clocks and caches.
        let show_for = token_life + TimeDelta::days(1);
        Self {
            database,
            vault,
            clock,
            replace_after,
            show_for,
            open: RwLock::default(),
        }
    }

    /// What they are sealed with.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The keys, from memory if they were read before.
    pub(crate) async fn open(&self) -> Result<Arc<OpenKeys>, KeysError> {
        let known = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(keys) => Ok(keys),
            None => self.renew().await,
        }
    }

    /// Makes what is missing or too old, and reads the rest. The table lock lets one process make a key at a time:
    /// the others wait and find it.
    pub(crate) async fn renew(&self) -> Result<Arc<OpenKeys>, KeysError> {
        let tx = self.database.begin_platform();
        tx.execute(&store::LOCK, ()).await?;
        let server = self.server_secret(&tx).await?;
        let signing = self.signing_key(&tx).await?;
        tx.commit().await?;

        let keys = Arc::new(OpenKeys {
            signing: EncodingKey::from_ed_der(
                self.unseal(&SIGNING_KEYS, &signing.kid, &signing.sealed)
                    .await?
                    .expose_secret(),
            ),
            kid: signing.kid,
            server: self
                .unseal(&SERVER_SECRETS, store::SERVER_SECRET, &server)
                .await?,
        });
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(keys.clone());
        Ok(keys)
    }

    /// The JSON Web Key Set (RFC 7517). Read from the database each time, so that it shows what other processes made.
    pub(crate) async fn jwks(&self) -> Result<String, KeysError> {
        self.open().await?;
        let shown = self
            .database
            .read_platform(&store::SHOWN, (self.clock.now(),))
            .await?;
        let keys: Vec<String> = shown.into_iter().map(|(jwk,)| jwk).collect();
        Ok(format!("{{\"keys\":[{}]}}", keys.join(",")))
    }

    async fn server_secret(&self, tx: &PlatformTx) -> Result<String, KeysError> {
        if let Some((sealed,)) = tx
            .optional(&store::SECRET, (store::SERVER_SECRET.to_owned(),))
            .await?
        {
            return Ok(sealed);
        }
        let secret = random_bytes::<32>();
        let sealed = self
            .vault
            .seal(tx, &SERVER_SECRETS, store::SERVER_SECRET, &secret)
            .await?;
        let row = (store::SERVER_SECRET.to_owned(), sealed.clone(), self.clock.now());
        tx.execute(&store::ADD_SECRET, row).await?;
        Ok(sealed)
    }

    async fn signing_key(&self, tx: &PlatformTx) -> Result<store::SigningKey, KeysError> {
        let now = self.clock.now();
        let present = tx.optional(&store::PRESENT_KEY, ()).await?;
        if let Some(key) = present.filter(|key| key.created_at + self.replace_after > now) {
            return Ok(key);
        }
        let made = Self::make_key()?;
        let sealed = self
            .vault
            .seal(tx, &SIGNING_KEYS, &made.kid, made.private.as_ref())
            .await?;
        tx.execute(&store::FORGET_KEYS, (now,)).await?;
        tx.execute(&store::RETIRE_KEYS, (now + self.show_for,)).await?;
        tx.execute(&store::ADD_KEY, (made.kid.clone(), sealed.clone(), made.jwk, now))
            .await?;
        tracing::info!(kid = made.kid, "signing key made");
        Ok(store::SigningKey {
            kid: made.kid,
            sealed,
            created_at: now,
        })
    }

    fn make_key() -> Result<NewKey, KeysError> {
        let unusable = |_| KeysError::Unusable("no key could be made");
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(unusable)?;
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref())
            .map_err(|_| KeysError::Unusable("the new key does not read"))?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        // The members in this order and without spaces: RFC 7638 §3.2 (thumbprint), RFC 8037 §2 (OKP).
        let kid = URL_SAFE_NO_PAD.encode(sha256(
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes(),
        ));
        let jwk =
            format!(r#"{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"{kid}","x":"{x}"}}"#);
        Ok(NewKey {
            kid,
            jwk,
            private: pkcs8,
        })
    }

    async fn unseal(
        &self,
        column: &Sealed,
        row: &str,
        sealed: &str,
    ) -> Result<SecretBox<Vec<u8>>, KeysError> {
        Ok(self.vault.open(Scope::Platform, column, row, sealed).await?)
    }
}

struct NewKey {
    kid: String,
    jwk: String,
    /// PKCS#8.
    private: Document,
}
