//! Register: a stranger makes an account, and joins the tenant at whose door it was made.
//!
//! The answer is the same, and takes the same time, whether the address is known or not: the password is hashed and a
//! row is written and committed in both cases. An address that is known keeps its password and its memberships: who
//! registers it again proves nothing about themselves.

use plaza_contracts::email::Email;
use plaza_contracts::events::UserRegistered;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, Limits, Scope, SystemRole, UserId};
use plaza_messaging::outbox;
use plaza_throttle::Throttled;
use secrecy::SecretString;

use super::{PersonName, store};
use crate::config::{self, EmailVerification};
use crate::mails::Template;
use crate::origin::Origin;
use crate::passwords::PasswordError;
use crate::scoped::ScopedTx;
use crate::tenants::Wanted;
use crate::{Identity, audit};

/// What a stranger says.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) email: Email,
    pub(crate) password: SecretString,
    pub(crate) name: PersonName,
    pub(crate) tenant: Wanted,
    pub(crate) origin: Origin,
}

/// A registration was refused.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Members come by invitation here.
    #[error("registration is closed")]
    Closed,
    /// The tenant that was named does not exist.
    #[error("the tenant does not exist")]
    TenantNotFound,
    /// The tenant is suspended or being deleted.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The password was not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error("the registration could not be stored")]
    Database(#[from] DatabaseError),
}

impl Failure for RegisterError {
    fn kind(&self) -> Kind {
        match self {
            Self::Closed | Self::TenantSuspended => Kind::Forbidden,
            Self::TenantNotFound => Kind::NotFound,
            Self::Throttled(error) => error.kind(),
            Self::Password(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Closed => "REGISTRATION_CLOSED",
            Self::TenantNotFound => "TENANT_NOT_FOUND",
            Self::TenantSuspended => "TENANT_SUSPENDED",
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
            Self::Closed | Self::TenantNotFound | Self::TenantSuspended => None,
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
    /// Makes the account and the membership, if the address is new.
    pub(crate) async fn register(&self, registration: Registration) -> Result<(), RegisterError> {
        if self.config().registration == config::Registration::Closed {
            return Err(RegisterError::Closed);
        }
        let scope = match registration.tenant {
            Wanted::None => Scope::Platform,
            Wanted::Unknown => return Err(RegisterError::TenantNotFound),
            Wanted::Tenant(tenant) if !tenant.open => return Err(RegisterError::TenantSuspended),
            Wanted::Tenant(tenant) => tenant.id.into(),
        };
        self.throttling().register(registration.origin).await?;
        let phc = self
            .passwords()
            .hash_new(&registration.password, registration.email.normal())
            .await?;
        self.store_registration(scope, registration.email, registration.name, phc)
            .await?;
        Ok(())
    }

    async fn store_registration(
        &self,
        scope: Scope,
        email: Email,
        name: PersonName,
        phc: String,
    ) -> Result<(), DatabaseError> {
        let now = self.clock().now();
        // Of an address that turns out to be proven nobody is asked to prove it again; here it is not known yet.
        let asks = self.config().verification() != EmailVerification::Off
            && self.throttling().mail(Template::Verify, &email).await;
        let tx = ScopedTx::begin(self.database(), scope);
        let claimed = store::claim(&tx, UserId::generate(self.clock()), &email, now).await?;
        if claimed.created {
            store::add_hash(&tx, claimed.user_id, phc, now).await?;
            if let ScopedTx::Tenant(tx) = &tx {
                let (user, role) = (claimed.user_id, SystemRole::Member);
                let member = store::NewMember {
                    user,
                    email: &email,
                    name: name.into_text(),
                    role,
                    status: "active",
                    vouched: false,
                };
                store::add_member(tx, member, now).await?;
                let registered = UserRegistered {
                    user_id: user,
                    email: email.as_written().to_owned(),
                    role,
                };
                outbox::append(tx, self.clock(), &registered).await?;
                audit::by_themselves(tx, self.clock(), &audit::USER_REGISTERED, user).await?;
            }
        }
        if asks {
            self.owe_mail(&tx, Template::Verify, email.normal()).await?;
        }
        tx.commit().await
    }
}
