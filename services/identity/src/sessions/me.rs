//! Who am I? One statement, one round trip: whether the session stands has been settled at the gateway.

use plaza_database::DatabaseError;
use plaza_kernel::{Caller, Failure, Kind, SessionId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{Person, Statements};
use crate::Identity;
use crate::scoped;

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The account.
    pub user_id: UserId,
    /// Its address.
    pub email: String,
    /// The name in this tenant; may be empty.
    pub name: String,
    /// `platform_admin`, `owner` or `member`.
    pub role: String,
    /// The tenant; absent for the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The session of the access token.
    pub session_id: SessionId,
    /// Somebody has shown to read the address's mail, or the platform vouches for it.
    pub email_verified: bool,
    /// A language tag (RFC 5646), if one was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// A name of the time zone database, if one was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Rises with every change.
    pub version: i64,
}

/// The caller cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum MeError {
    /// The account or the membership has ended since the token was given.
    #[error("the account has no access here any more")]
    Ended,
    /// The database failed.
    #[error("the account could not be read")]
    Database(#[from] DatabaseError),
}

impl Failure for MeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Ended => Kind::Unauthenticated,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Ended => "UNAUTHENTICATED",
            Self::Database(error) => error.code(),
        }
    }
}

impl Identity {
    /// The caller, as the database knows them.
    pub(crate) async fn me(&self, caller: &Caller) -> Result<Me, MeError> {
        let person = Statements::of(caller.scope()).person;
        let found = scoped::read(self.database(), caller.scope(), person, (caller.subject,)).await?;
        let person = found.into_iter().next().ok_or(MeError::Ended)?;
        Ok(Me::of(person, caller))
    }
}

impl Me {
    pub(super) fn of(person: Person, caller: &Caller) -> Self {
        Self {
            user_id: person.user_id,
            email: person.email,
            name: person.name,
            role: person.role,
            tenant_id: caller.tenant(),
            session_id: caller.session,
            email_verified: person.email_verified,
            locale: person.locale,
            timezone: person.timezone,
            version: person.version,
        }
    }
}
