//! Setup links: how a first password is set. There is no default password anywhere.
//!
//! The platform's administrator, a tenant's owner and an invited member each get a link that is good once. The
//! administrator's can be shown again at each start until it is used; the others are shown once, and replaced by asking
//! again. All are derived from an id and the server's secret; the database knows their hashes.

mod administrator;
pub(crate) mod http;
mod link;
mod member;
mod owner_link;
mod store;

use plaza_contracts::email::Email;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, Limits, SystemRole, TenantId, UserId};
use plaza_throttle::Throttled;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use link::{Link, Purpose};
pub use owner_link::OwnerLinkError;

use crate::Identity;
use crate::keys::KeysError;
use crate::opaque::OpaqueToken;
use crate::origin::Origin;
use crate::passwords::PasswordError;

/// What the holder of a link says.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) token: String,
    pub(crate) email: Email,
    pub(crate) password: SecretString,
    pub(crate) origin: Origin,
}

/// Who can log in now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetUp {
    /// The account.
    pub user_id: UserId,
    /// Its address.
    pub email: String,
    /// What it is.
    pub role: SystemRole,
    /// Where; absent for the platform's administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
}

/// A link was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Unknown, used, replaced or expired.
    #[error("the link is not valid: it may have been used, replaced or expired")]
    InvalidLink,
    /// The link was made for another address.
    #[error("the link was made for another e-mail address")]
    OtherEmail,
    /// The account has a password already, and it is another one.
    #[error("the account exists already and has another password")]
    WrongPassword,
    /// The account's password was tried too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The password was not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error("the password could not be stored")]
    Database(#[from] DatabaseError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Failure for SetupError {
    fn kind(&self) -> Kind {
        match self {
            Self::InvalidLink => Kind::Malformed,
            Self::OtherEmail => Kind::Invalid,
            Self::WrongPassword => Kind::Unauthenticated,
            Self::Throttled(error) => error.kind(),
            Self::Password(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Keys(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidLink => "SETUP_LINK_INVALID",
            Self::OtherEmail => "SETUP_EMAIL_MISMATCH",
            Self::WrongPassword => "INVALID_CREDENTIALS",
            Self::Throttled(error) => error.code(),
            Self::Password(error) => error.code(),
            Self::Database(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::OtherEmail => vec![FieldError::new("/email", self.code(), self.to_string())],
            Self::Password(error) => error.fields(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::InvalidLink | Self::OtherEmail | Self::WrongPassword => None,
            Self::Throttled(error) => error.retry_after(),
            Self::Password(error) => error.retry_after(),
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
    /// Uses a link: the administrator is made, or an owner or invited member can log in from now on.
    pub(crate) async fn set_up(&self, setup: Setup) -> Result<SetUp, SetupError> {
        self.passwords().check_length(&setup.password)?;
        let token = OpaqueToken::parse(&setup.token).ok_or(SetupError::InvalidLink)?;
        match token.scope().tenant() {
            None => self.set_up_administrator(&token, setup).await,
            Some(tenant) => self.set_up_member(tenant, &token, setup).await,
        }
    }
}
