//! Set a new password with the link out of a mail.
//!
//! Whoever follows the link reads the account's mail, so from then on the address belongs to whoever knows the password:
//! whatever somebody else set up before with this address ends. That is every session in every tenant, every other link of
//! recovery, the clients that were known; and an owner's link that was made before does not replace this password
//! (`setup/member.rs`).

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::{Failure, FieldError, Kind, Limits};
use plaza_throttle::Throttled;
use secrecy::SecretString;

use super::store::Holder;
use super::{Purpose, store};
use crate::mails::Template;
use crate::opaque::OpaqueToken;
use crate::origin::Origin;
use crate::passwords::PasswordError;
use crate::users::store as users;
use crate::{Identity, audit};

/// A password was not set.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Used, replaced, expired, or never made.
    #[error("the link is not valid: it may have been used, replaced or expired")]
    TokenUsed,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The password was not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error("the password could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for ResetError {
    fn kind(&self) -> Kind {
        match self {
            Self::TokenUsed => Kind::Malformed,
            Self::Throttled(error) => error.kind(),
            Self::Password(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TokenUsed => "TOKEN_USED",
            Self::Throttled(error) => error.code(),
            Self::Password(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Password(error) => error.fields(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TokenUsed => None,
            Self::Throttled(error) => error.retry_after(),
            Self::Password(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
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
    /// Uses the link. A password that is not taken leaves it as it was.
    pub(crate) async fn reset_password(
        &self,
        token: &str,
        password: &SecretString,
        origin: Origin,
    ) -> Result<(), ResetError> {
        self.passwords().check_length(password)?;
        self.throttling().proof(origin).await?;
        let token = OpaqueToken::parse(token).ok_or(ResetError::TokenUsed)?;
        let now = self.clock().now();
        let holder = store::holder(self.database(), token.hash(), Purpose::Reset, now).await?;
        let holder = holder.ok_or(ResetError::TokenUsed)?;
        let phc = self.passwords().hash_new(password, &holder.email_norm).await?;

        let tx = self.database().begin_platform();
        let account = store::lock_account(&tx, holder.user_id).await?;
        if account.is_none() || !store::consume(&tx, token.hash(), Purpose::Reset, now).await? {
            return Err(ResetError::TokenUsed);
        }
        self.take_over(&tx, &holder, phc, origin, now).await?;
        audit::by_themselves(&tx, self.clock(), &audit::PASSWORD_RESET, holder.user_id).await?;
        tx.commit().await?;
        self.throttling()
            .forgive_account(&holder.email_norm, origin)
            .await;
        tracing::info!(user = %holder.user_id, "password reset");
        Ok(())
    }

    /// The account belongs to whoever reads its mail, and to nobody else.
    async fn take_over(
        &self,
        tx: &Transaction,
        holder: &Holder,
        phc: String,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let user = holder.user_id;
        users::set_hash(tx, user, phc, now).await?;
        users::end_sessions(tx, user).await?;
        store::end_all_proofs(tx, user, now).await?;
        store::prove(tx, user, now).await?;
        users::verify(tx, user, now).await?;
        users::forget_devices(tx, user).await?;
        if let Some(client) = origin.client_bytes() {
            users::know_device(tx, user, client, now).await?;
        }
        self.owe_mail(tx, Template::PasswordChanged, &holder.email_norm)
            .await
    }
}
