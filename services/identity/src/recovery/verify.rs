//! Prove that an address is one's own: with the link out of a mail, or by typing its code.
//!
//! It proves that somebody reads what is sent there and agrees, not that this is who knows the account's password: no door
//! opens by it that needs more than the password.

use plaza_contracts::email::Email;
use plaza_crypto::constant_time_eq;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, Limits, UserId};
use plaza_throttle::Throttled;
use uuid::Uuid;

use super::{Code, Purpose, store};
use crate::keys::KeysError;
use crate::opaque::OpaqueToken;
use crate::origin::Origin;
use crate::{Identity, audit};

/// How often a code may be tried.
const TRIES: i16 = 10;

/// An address was not proven.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Used, replaced, expired, or never made.
    #[error("the link is not valid: it may have been used, replaced or expired")]
    TokenUsed,
    /// Another code, or none was sent to the address, or it was tried too often.
    #[error("the code is wrong or no longer good")]
    CodeWrong,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database failed.
    #[error("the proof could not be stored")]
    Database(#[from] DatabaseError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Failure for VerifyError {
    fn kind(&self) -> Kind {
        match self {
            Self::TokenUsed => Kind::Malformed,
            Self::CodeWrong => Kind::Unauthenticated,
            Self::Throttled(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Keys(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TokenUsed => "TOKEN_USED",
            Self::CodeWrong => "CODE_WRONG",
            Self::Throttled(error) => error.code(),
            Self::Database(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TokenUsed | Self::CodeWrong => None,
            Self::Throttled(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            Self::Keys(error) => error.retry_after(),
        }
    }

    fn limits(&self) -> Option<Limits> {
        match self {
            Self::Throttled(error) => error.limits(),
            _ => None,
        }
    }
}

impl Identity {
    /// Uses the link of a mail.
    pub(crate) async fn verify_by_token(&self, token: &str, origin: Origin) -> Result<(), VerifyError> {
        self.throttling().proof(origin).await?;
        let token = OpaqueToken::parse(token).ok_or(VerifyError::TokenUsed)?;
        let now = self.clock().now();
        let holder = store::holder(self.database(), token.hash(), Purpose::Verify, now).await?;
        let user = holder.ok_or(VerifyError::TokenUsed)?.user_id;
        let tx = self.database().begin_platform();
        let account = store::lock_account(&tx, user).await?;
        if account.is_none() || !store::consume(&tx, token.hash(), Purpose::Verify, now).await? {
            return Err(VerifyError::TokenUsed);
        }
        store::prove(&tx, user, now).await?;
        audit::by_themselves(&tx, self.clock(), &audit::EMAIL_VERIFIED, user).await?;
        Ok(tx.commit().await?)
    }

    /// Uses the code that was sent to an address. A try is counted before anybody learns how it ends.
    pub(crate) async fn verify_by_code(
        &self,
        email: &Email,
        code: &str,
        origin: Origin,
    ) -> Result<(), VerifyError> {
        self.throttling().proof(origin).await?;
        self.throttling().code(email).await?;
        let now = self.clock().now();
        let tried = store::try_code(self.database(), email.normal(), now, TRIES).await?;
        let tried = tried.ok_or(VerifyError::CodeWrong)?;
        let keys = self.keys().open().await?;
        let hash = Code::parse(code).map(|code| code.hash(keys.server(), tried.id));
        let right = match (&hash, &tried.code_hash) {
            (Some(hash), Some(stored)) => constant_time_eq(hash, stored),
            _ => false,
        };
        if right && self.use_code(tried.id, tried.user_id).await? {
            Ok(())
        } else {
            Err(VerifyError::CodeWrong)
        }
    }

    async fn use_code(&self, proof: Uuid, user: UserId) -> Result<bool, DatabaseError> {
        let now = self.clock().now();
        let tx = self.database().begin_platform();
        let account = store::lock_account(&tx, user).await?;
        if account.is_none() || !store::consume_tried(&tx, proof, now).await? {
            return Ok(false);
        }
        store::prove(&tx, user, now).await?;
        audit::by_themselves(&tx, self.clock(), &audit::EMAIL_VERIFIED, user).await?;
        tx.commit().await?;
        Ok(true)
    }
}
