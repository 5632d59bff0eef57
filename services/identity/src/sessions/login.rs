//! Log in with e-mail and password.

use chrono::TimeDelta;
use plaza_audit::Action;
use plaza_contracts::email::Email;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, Limits, Scope, SessionId, SystemRole, UserId};
use plaza_rpc::RpcError;
use plaza_throttle::Throttled;
use secrecy::SecretString;

use super::store::Statements;
use super::{Speaker, TokenPair};
use crate::config::EmailVerification;
use crate::keys::KeysError;
use crate::opaque::OpaqueToken;
use crate::origin::Origin;
use crate::passwords::{PasswordError, Verdict};
use crate::scoped::ScopedTx;
use crate::tenants::{KnownTenant, Wanted};
use crate::throttling::Guess;
use crate::users::store::{self as users, Account};
use crate::{Identity, audit};

/// What a person says to come in.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) email: Email,
    pub(crate) password: SecretString,
    pub(crate) tenant: Wanted,
    pub(crate) origin: Origin,
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
    /// The person registered, and has yet to show that the address is theirs.
    #[error("confirm your e-mail address first")]
    EmailNotVerified,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
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
            Self::TenantSuspended | Self::EmailNotVerified => Kind::Forbidden,
            Self::Throttled(error) => error.kind(),
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
            Self::EmailNotVerified => "EMAIL_NOT_VERIFIED",
            Self::Throttled(error) => error.code(),
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

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::InvalidCredentials
            | Self::TenantRequired
            | Self::TenantSuspended
            | Self::EmailNotVerified => None,
            Self::Throttled(error) => error.retry_after(),
            Self::Password(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            Self::Tenancy(error) => error.retry_after(),
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

impl LoginError {
    /// Whether somebody with the right password was not let in, who asked for one place.
    fn refuses(&self) -> bool {
        matches!(
            self,
            Self::InvalidCredentials | Self::TenantSuspended | Self::EmailNotVerified
        )
    }
}

impl Identity {
    /// Begins a session of the tenant that was named, of the platform, or of the only tenant there is for this account.
    ///
    /// A permit is taken before the password is compared, for comparing is what costs.
    pub(crate) async fn login(&self, login: Login) -> Result<TokenPair, LoginError> {
        self.passwords().check_length(&login.password)?;
        let client = login.origin.client_bytes();
        let found = users::by_email(self.database(), &login.email, client).await?;
        let guess = Guess {
            email: login.email.normal(),
            tenant: login.tenant.id(),
            origin: login.origin,
            familiar: found.as_ref().is_some_and(|account| account.familiar),
            link: None,
        };
        self.throttling().login(&guess).await?;
        let stored = found.as_ref().and_then(|account| account.phc.clone());
        let user = found.as_ref().map(|account| account.user_id);
        let verdict = self.passwords().compare(&login.password, stored).await?;
        let (Verdict::Right { renewed }, Some(account)) = (verdict, found.filter(|account| account.active))
        else {
            self.tell_refused(&audit::LOGIN, user).await?;
            return Err(LoginError::InvalidCredentials);
        };
        self.throttling().forgive(&guess).await;
        let scope = match self.entrance(&account, login.tenant).await {
            Err(error) if error.refuses() => {
                self.tell_refused(&audit::LOGIN, user).await?;
                return Err(error);
            }
            entrance => entrance?,
        };
        self.begin_session(&account, login.origin, renewed, scope).await
    }

    /// In the audit of the platform: which tenant was meant is nobody's business who may not enter it.
    pub(crate) async fn tell_refused(
        &self,
        action: &'static Action,
        user: Option<UserId>,
    ) -> Result<(), DatabaseError> {
        let tx = self.database().begin_platform();
        audit::refused(&tx, self.clock(), action, user).await?;
        tx.commit().await
    }

    /// Where the account enters.
    async fn entrance(&self, account: &Account, wanted: Wanted) -> Result<Scope, LoginError> {
        match wanted {
            Wanted::Unknown => Err(LoginError::InvalidCredentials),
            Wanted::Tenant(tenant) => self.enter(account, tenant).await,
            Wanted::None if account.platform_admin => Ok(Scope::Platform),
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

    async fn enter(&self, account: &Account, tenant: KnownTenant) -> Result<Scope, LoginError> {
        let standing = users::standing_in(self.database(), tenant.id, account.user_id).await?;
        let standing = standing.ok_or(LoginError::InvalidCredentials)?;
        // Only a member learns that the tenant is suspended, or what is still to be shown.
        if !tenant.open {
            return Err(LoginError::TenantSuspended);
        }
        let required = self.config().verification() == EmailVerification::Required;
        if required && !standing.vouched && !account.verified {
            return Err(LoginError::EmailNotVerified);
        }
        Ok(tenant.id.into())
    }

    /// Begins the session of who is a member at this moment: whoever disables or removes them at the same time waits for it and
    /// ends it, or is waited for.
    async fn begin_session(
        &self,
        account: &Account,
        origin: Origin,
        renewed: Option<String>,
        scope: Scope,
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
        let start = (session, account.user_id, account.epoch, now, now + lasts);
        let started = tx.optional(statements.start, start).await?;
        let (role,) = started.ok_or(LoginError::InvalidCredentials)?;
        // The database accepts no other roles; one that this version does not know lets nobody in.
        let role: SystemRole = role.parse().map_err(|_| LoginError::InvalidCredentials)?;
        if let Some(client) = origin.client_bytes() {
            users::know_device(&tx, account.user_id, client, now).await?;
        }
        tx.execute(
            statements.add_first,
            (token.hash(), session, now, now + idle.min(lasts)),
        )
        .await?;
        audit::logged_in(&tx, self.clock(), account.user_id, role).await?;
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
