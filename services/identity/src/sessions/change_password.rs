//! Change one's password, knowing the present one. Whoever else is logged in with the old one is logged in no more.

use plaza_database::DatabaseError;
use plaza_kernel::{Caller, Failure, FieldError, Kind, Limits};
use plaza_throttle::Throttled;
use secrecy::SecretString;

use super::store::Statements;
use crate::mails::Template;
use crate::origin::Origin;
use crate::passwords::{PasswordError, Verdict};
use crate::recovery::store as proofs;
use crate::scoped::ScopedTx;
use crate::users::store as users;
use crate::{Identity, audit};

/// The present password and the next one.
#[derive(Debug)]
pub(crate) struct PasswordChange {
    pub(crate) current: SecretString,
    pub(crate) new: SecretString,
    pub(crate) origin: Origin,
}

/// The password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The present password is another one.
    #[error("the present password is wrong")]
    Wrong,
    /// The present password was tried too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The new password was not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error("the password could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for ChangePasswordError {
    fn kind(&self) -> Kind {
        match self {
            Self::Wrong => Kind::Forbidden,
            Self::Throttled(error) => error.kind(),
            Self::Password(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Wrong => "WRONG_PASSWORD",
            Self::Throttled(error) => error.code(),
            Self::Password(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Password(error) => error.fields_at("/new_password"),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Wrong => None,
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
    /// Changes the caller's password. Every other session of the account ends, in every tenant, and every link to a new password.
    pub(crate) async fn change_password(
        &self,
        caller: &Caller,
        change: PasswordChange,
    ) -> Result<(), ChangePasswordError> {
        let PasswordChange { current, new, origin } = change;
        self.passwords().check_length(&new)?;
        // What cannot be a password is not the present one.
        if self.passwords().check_length(&current).is_err() {
            return Err(ChangePasswordError::Wrong);
        }
        let user = caller.subject;
        self.throttling().present_password(user).await?;
        let credential = users::credential(self.database(), user).await?;
        let credential = credential.ok_or(ChangePasswordError::Wrong)?;
        let verdict = self.passwords().compare(&current, credential.phc.clone()).await?;
        let (Verdict::Right { .. }, Some(old)) = (verdict, credential.phc) else {
            return Err(ChangePasswordError::Wrong);
        };
        self.throttling().forgive_present_password(user).await;
        let email = credential.email_norm;
        let new = self.passwords().hash_new(&new, &email).await?;
        self.store_password(caller, origin, &email, old, new).await
    }

    async fn store_password(
        &self,
        caller: &Caller,
        origin: Origin,
        email: &str,
        old: String,
        new: String,
    ) -> Result<(), ChangePasswordError> {
        let (user, now) = (caller.subject, self.clock().now());
        let tx = ScopedTx::begin(self.database(), caller.scope());
        proofs::lock_account(&tx, user).await?;
        // Somebody may have changed it since it was compared.
        if !users::renew_hash(&tx, user, old, new, now).await? {
            return Err(ChangePasswordError::Wrong);
        }
        let epoch = users::end_sessions(&tx, user).await?;
        let go_on = Statements::of(caller.scope()).go_on;
        tx.execute(go_on, (caller.session, epoch)).await?;
        proofs::end_all_proofs(&tx, user, now).await?;
        users::forget_devices(&tx, user).await?;
        if let Some(client) = origin.client_bytes() {
            users::know_device(&tx, user, client, now).await?;
        }
        self.owe_mail(&tx, Template::PasswordChanged, email).await?;
        plaza_audit::done(&tx, self.clock(), &audit::PASSWORD_CHANGED, user).await?;
        tx.commit().await?;
        tracing::info!(%user, "password changed");
        Ok(())
    }
}
