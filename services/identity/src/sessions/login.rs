//! Log in with e-mail and password.

use chrono::TimeDelta;
use plaza_contracts::email::Email;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, Scope, SessionId, SystemRole};
use plaza_rpc::RpcError;
use secrecy::SecretString;

use super::store::Statements;
use super::{Speaker, TokenPair};
use crate::Identity;
use crate::keys::KeysError;
use crate::opaque::OpaqueToken;
use crate::passwords::{PasswordError, Verdict};
use crate::scoped::ScopedTx;
use crate::tenants::{KnownTenant, Wanted};
use crate::users::store::{self as users, Account};

/// What a person says to come in.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) email: Email,
    pub(crate) password: SecretString,
    pub(crate) tenant: Wanted,
}

/// A login was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown address, wrong password, disabled account or no membership: all alike.
    #[error("e-mail or password is wrong")]
    InvalidCredentials,
    /// The account belongs to several tenants, or to none.
    #[error("name the tenant to log in to")]
    TenantRequired,
    /// The tenant is suspended or being deleted.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The password cannot be one, or could not be compared.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error("the login could not be stored")]
    Database(#[from] DatabaseError),
    /// Tenancy could not be asked.
    #[error("the tenant could not be looked up")]
    Tenancy(#[from] RpcError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Failure for LoginError {
    fn kind(&self) -> Kind {
        match self {
            Self::InvalidCredentials => Kind::Unauthenticated,
            Self::TenantRequired => Kind::Conflict,
            Self::TenantSuspended => Kind::Forbidden,
            Self::Password(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Tenancy(error) => error.kind(),
            Self::Keys(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidCredentials => "INVALID_CREDENTIALS",
            Self::TenantRequired => "TENANT_REQUIRED",
            Self::TenantSuspended => "TENANT_SUSPENDED",
            Self::Password(error) => error.code(),
            Self::Database(error) => error.code(),
            Self::Tenancy(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Password(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}

impl Identity {
    /// Begins a session of the tenant that was named, of the platform, or of the only tenant there is for this account.
    pub(crate) async fn login(&self, login: Login) -> Result<TokenPair, LoginError> {
        self.passwords().check_length(&login.password)?;
        let found = users::by_email(self.database(), &login.email).await?;
        let stored = found.as_ref().and_then(|account| account.phc.clone());
        let verdict = self.passwords().compare(&login.password, stored).await?;
        let (Verdict::Right { renewed }, Some(account)) = (verdict, found.filter(|account| account.active))
        else {
            return Err(LoginError::InvalidCredentials);
        };
        let (scope, role) = self.entrance(&account, login.tenant).await?;
        self.begin_session(&account, renewed, scope, role).await
    }

    /// Where the account enters, and as what.
    async fn entrance(&self, account: &Account, wanted: Wanted) -> Result<(Scope, SystemRole), LoginError> {
        match wanted {
            Wanted::Unknown => Err(LoginError::InvalidCredentials),
            Wanted::Tenant(tenant) => self.enter(account, tenant).await,
            Wanted::None if account.platform_admin => Ok((Scope::Platform, SystemRole::PlatformAdmin)),
            Wanted::None => {
                let tenants = users::tenants_of(self.database(), account.user_id).await?;
                let [tenant] = tenants[..] else {
                    return Err(LoginError::TenantRequired);
                };
                let known = self
                    .tenants()
                    .by_id(tenant)
                    .await?
                    .ok_or(LoginError::InvalidCredentials)?;
                self.enter(account, known).await
            }
        }
    }

    async fn enter(&self, account: &Account, tenant: KnownTenant) -> Result<(Scope, SystemRole), LoginError> {
        let role = users::role_in(self.database(), tenant.id, account.user_id).await?;
        let role = role.ok_or(LoginError::InvalidCredentials)?;
        // Only a member learns that the tenant is suspended.
        if tenant.open {
            Ok((tenant.id.into(), role))
        } else {
            Err(LoginError::TenantSuspended)
        }
    }

    async fn begin_session(
        &self,
        account: &Account,
        renewed: Option<String>,
        scope: Scope,
        role: SystemRole,
    ) -> Result<TokenPair, LoginError> {
        let (keys, now, statements) = (
            self.keys().open().await?,
            self.clock().now(),
            Statements::of(scope),
        );
        let session = SessionId::generate(self.clock());
        let token = OpaqueToken::random(scope);
        let lasts = TimeDelta::seconds(self.config().refresh_absolute_seconds.into());
        let idle = TimeDelta::seconds(self.config().refresh_idle_seconds.into());

        let tx = ScopedTx::begin(self.database(), scope);
        if let (Some(phc), Some(outdated)) = (renewed, account.phc.clone()) {
            users::renew_hash(&tx, account.user_id, outdated, phc, now).await?;
        }
        tx.execute(
            statements.start,
            (session, account.user_id, account.epoch, now, now + lasts),
        )
        .await?;
        tx.execute(
            statements.add_first,
            (token.hash(), session, now, now + idle.min(lasts)),
        )
        .await?;
        tx.commit().await?;
        Ok(self.pair(
            &keys,
            Speaker {
                scope,
                user: account.user_id,
                session,
                role,
            },
            &token,
        )?)
    }
}
