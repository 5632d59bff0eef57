//! Settings of identity. Every one has a default that suits production.

mod throttle;

use serde::Deserialize;

pub use throttle::{InvalidRate, Rate, ThrottleConfig};

/// Who may make an account without being asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Everybody; who registers at a tenant becomes an active `member` of it.
    Open,
    /// Nobody: members come by invitation. A stranger must not get in because nobody thought of this setting.
    #[default]
    Closed,
}

/// What becomes of accounts whose address nobody has proven to be theirs. Only people who registered themselves are meant:
/// whoever was asked in, or was named as an owner, has somebody who vouches for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailVerification {
    /// Nothing, and nobody is asked.
    Off,
    /// A mail asks for it; nothing depends on it.
    Offered,
    /// Nobody logs in without it.
    Required,
}

/// How accounts, passwords and tokens are treated.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// `iss` of the access tokens.
    pub issuer: String,
    /// How long an access token is good.
    pub access_token_seconds: u32,
    /// How long a refresh token is good when nobody uses it.
    pub refresh_idle_seconds: u32,
    /// How long a login lasts, however often it is refreshed.
    pub refresh_absolute_seconds: u32,
    /// How long the holder of the immediate parent may ask for the same successor again (a lost answer).
    pub refresh_grace_seconds: u32,
    /// The age at which a signing key is replaced.
    pub signing_key_days: u32,
    /// How long an owner's link is good.
    pub owner_link_hours: u32,
    /// How long an invitation's link is good.
    pub invite_hours: u32,
    /// Who may make an account.
    pub registration: Registration,
    /// What becomes of accounts whose address nobody has proven to be theirs. Unless given: `required` where registration is
    /// open, `offered` where it is closed.
    pub email_verification: Option<EmailVerification>,
    /// How long the link to a new password is good.
    pub reset_minutes: u32,
    /// How long the link, or the code, that proves an address is good.
    pub verify_hours: u32,
    /// Where people reach Plaza (`https://plaza.example`): links are built from it, never from a request's host.
    /// Empty: links are given as paths.
    pub public_url: String,
    /// How often each process looks whether the signing key is due to be replaced, or was by another process.
    pub signing_key_check_seconds: u32,
    /// Passwords.
    pub password: PasswordConfig,
    /// How often strangers may try.
    pub throttle: ThrottleConfig,
}

impl IdentityConfig {
    /// What becomes of accounts whose address nobody has proven to be theirs.
    pub fn verification(&self) -> EmailVerification {
        self.email_verification.unwrap_or(match self.registration {
            Registration::Open => EmailVerification::Required,
            Registration::Closed => EmailVerification::Offered,
        })
    }
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            issuer: "plaza".to_owned(),
            access_token_seconds: 600,
            refresh_idle_seconds: 14 * 24 * 3600,
            refresh_absolute_seconds: 30 * 24 * 3600,
            refresh_grace_seconds: 10,
            signing_key_days: 30,
            owner_link_hours: 72,
            invite_hours: 72,
            registration: Registration::default(),
            email_verification: None,
            reset_minutes: 30,
            verify_hours: 24,
            public_url: String::new(),
            signing_key_check_seconds: 3600,
            password: PasswordConfig::default(),
            throttle: ThrottleConfig::default(),
        }
    }
}

/// What a password must be, and what hashing one costs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordConfig {
    /// The fewest characters.
    pub min_characters: usize,
    /// The most characters: longer ones are refused before anything is computed.
    pub max_characters: usize,
    /// The least zxcvbn score, 0 to 4.
    pub min_score: u8,
    /// argon2id memory in KiB.
    pub memory_kib: u32,
    /// argon2id passes.
    pub passes: u32,
    /// argon2id lanes.
    pub lanes: u32,
    /// How many passwords are hashed at the same time.
    pub at_once: usize,
    /// How many more may wait; further ones are answered 503.
    pub queue: usize,
    /// How long one may wait before it is answered 503.
    pub wait_milliseconds: u32,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            min_characters: 8,
            max_characters: 128,
            min_score: 3,
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            at_once: 2,
            queue: 32,
            wait_milliseconds: 2_000,
        }
    }
}
