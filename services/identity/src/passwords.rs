//! Passwords: what one must be, and the only place where one is hashed.
//!
//! A hash costs 19 MiB and tens of milliseconds, so an attacker could buy our memory with small requests. Hence two
//! places at once, a short queue, and 503 for everybody else; the length is checked before anything is computed.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use plaza_crypto::random_bytes;
use plaza_kernel::{Failure, FieldError, Kind};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::config::PasswordConfig;

/// A password was not taken, or could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Fewer characters than the rule asks for.
    #[error("the password has fewer than {0} characters")]
    TooShort(usize),
    /// More characters than are taken.
    #[error("the password has more than {0} characters")]
    TooLong(usize),
    /// Easy to guess.
    #[error("the password is easy to guess")]
    TooWeak,
    /// Too many passwords are being hashed.
    #[error("too many logins at the same time")]
    Busy,
    /// The settings are unusable, a stored hash is damaged, or the hashing task died.
    #[error("a password could not be hashed")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure for PasswordError {
    fn kind(&self) -> Kind {
        match self {
            Self::TooShort(_) | Self::TooLong(_) | Self::TooWeak => Kind::Invalid,
            Self::Busy => Kind::Unavailable,
            Self::Broken(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooShort(_) => "PASSWORD_TOO_SHORT",
            Self::TooLong(_) => "PASSWORD_TOO_LONG",
            Self::TooWeak => "PASSWORD_TOO_WEAK",
            Self::Busy => "TOO_MANY_LOGINS",
            Self::Broken(_) => "INTERNAL",
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        self.fields_at("/password")
    }
}

impl PasswordError {
    /// What is wrong with the password in this place of a body.
    pub(crate) fn fields_at(&self, pointer: &str) -> Vec<FieldError> {
        match self.kind() {
            Kind::Invalid => vec![FieldError::new(pointer, self.code(), self.to_string())],
            _ => Vec::new(),
        }
    }
}

/// What comparing a password with a stored hash said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is another one.
    Wrong,
    /// It is this one.
    Right {
        /// A new hash to be stored, when the old one was made with weaker settings.
        renewed: Option<String>,
    },
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    config: Arc<PasswordConfig>,
    at_once: Arc<Semaphore>,
    places: Arc<Semaphore>,
    dummy: Arc<str>,
}

impl Passwords {
    pub(crate) fn new(config: PasswordConfig) -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(config.at_once.max(1))),
            places: Arc::new(Semaphore::new(config.at_once.max(1) + config.queue)),
            dummy: dummy(&config).into(),
            config: Arc::new(config),
        }
    }

    /// Refuses settings that argon2 cannot work with.
    pub(crate) fn check_settings(&self) -> Result<(), PasswordError> {
        argon2(&self.config).map(drop)
    }

    /// Refuses what is too long to be a password: before anything else is done with it.
    pub(crate) fn check_length(&self, password: &SecretString) -> Result<(), PasswordError> {
        let most = self.config.max_characters;
        // A character has at most four bytes: a megabyte is not even counted.
        let text = password.expose_secret();
        let too_long = text.len() > most.saturating_mul(4) || text.chars().count() > most;
        if too_long {
            Err(PasswordError::TooLong(most))
        } else {
            Ok(())
        }
    }

    /// Hashes a new password, if it is long and strange enough. `about` is what a guesser would try first.
    pub(crate) async fn hash_new(
        &self,
        password: &SecretString,
        about: &str,
    ) -> Result<String, PasswordError> {
        self.check_length(password)?;
        if password.expose_secret().chars().count() < self.config.min_characters {
            return Err(PasswordError::TooShort(self.config.min_characters));
        }
        let (config, password, about) = (self.config.clone(), password.clone(), about.to_owned());
        self.run(move || {
            let score = zxcvbn::zxcvbn(password.expose_secret(), &[about.as_str(), "plaza"]).score();
            if u8::from(score) < config.min_score {
                return Err(PasswordError::TooWeak);
            }
            hash(&config, &password)
        })
        .await
    }

    /// Compares. Without a stored hash the same work is done in vain, so that a stranger learns nothing.
    pub(crate) async fn compare(
        &self,
        password: &SecretString,
        stored: Option<String>,
    ) -> Result<Verdict, PasswordError> {
        self.check_length(password)?;
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        let (config, password) = (self.config.clone(), password.clone());
        self.run(move || {
            let phc = PasswordHash::new(&stored).map_err(|error| PasswordError::Broken(error.into()))?;
            let right = Argon2::default()
                .verify_password(password.expose_secret().as_bytes(), &phc)
                .is_ok();
            if !right || !known {
                return Ok(Verdict::Wrong);
            }
            let renewed = outdated(&config, &phc)
                .then(|| hash(&config, &password))
                .transpose()?;
            Ok(Verdict::Right { renewed })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = self
            .places
            .clone()
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let wait = Duration::from_millis(self.config.wait_milliseconds.into());
        let turn = tokio::time::timeout(wait, self.at_once.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(PasswordError::Busy)?;
        // Both go into the task: when the client hangs up, the memory is still in use until the hash is done.
        let done = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        done.await.map_err(|error| PasswordError::Broken(error.into()))?
    }
}

fn argon2(config: &PasswordConfig) -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(config.memory_kib, config.passes, config.lanes, None)
        .map_err(|error| PasswordError::Broken(error.to_string().into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(config: &PasswordConfig, password: &SecretString) -> Result<String, PasswordError> {
    let salt = random_bytes::<16>();
    let phc = argon2(config)?
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map_err(|error| PasswordError::Broken(error.into()))?;
    Ok(phc.to_string())
}

fn outdated(config: &PasswordConfig, phc: &PasswordHash) -> bool {
    let stored = Params::try_from(phc).map(|params| (params.m_cost(), params.t_cost(), params.p_cost()));
    stored.ok() != Some((config.memory_kib, config.passes, config.lanes))
}

/// A hash of the present settings that no password has (a random output), made without hashing.
fn dummy(config: &PasswordConfig) -> String {
    let (salt, output) = (random_bytes::<16>(), random_bytes::<32>());
    format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        config.memory_kib,
        config.passes,
        config.lanes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    )
}

#[cfg(test)]
mod tests;
