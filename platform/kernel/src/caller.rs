//! Who asks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Scope, SessionId, TenantId, UserId};

/// The coarse role that an access token carries: a closed list, never a name a tenant made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    /// Runs the platform; acts on tenants, owns no tenant's data.
    PlatformAdmin,
    /// Owns a tenant: may do everything inside it.
    Owner,
    /// Belongs to a tenant: may do what the tenant's roles grant.
    Member,
    /// Another program.
    Service,
}

/// Not the name of a [`SystemRole`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a system role")]
pub struct UnknownRole(pub String);

impl SystemRole {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform_admin",
            Self::Owner => "owner",
            Self::Member => "member",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for SystemRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SystemRole {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::PlatformAdmin, Self::Owner, Self::Member, Self::Service]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// The id of one request: 1 to 128 characters of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestId(String);

impl RequestId {
    /// Takes over an id that came from outside, if it has the accepted form.
    pub fn parse(text: &str) -> Option<Self> {
        let accepted = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (!text.is_empty() && text.len() <= 128 && text.bytes().all(accepted)).then(|| Self(text.to_owned()))
    }

    /// A new id.
    pub fn generate(clock: &crate::Clock) -> Self {
        Self(clock.uuid().simple().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An authenticated caller. The gateway makes it from an access token; services never read the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Whose data the caller works on; the platform for a platform administrator.
    pub scope: Option<TenantId>,
    /// The account.
    pub subject: UserId,
    /// The login the access token came from.
    pub session: SessionId,
    /// The coarse role.
    pub role: SystemRole,
}

impl Caller {
    /// Whose data the caller works on.
    pub fn scope(&self) -> Scope {
        self.scope.into()
    }

    /// The caller's tenant, if the caller acts inside one.
    pub fn tenant(&self) -> Option<TenantId> {
        self.scope
    }

    /// Whether the caller runs the platform.
    pub fn is_platform_admin(&self) -> bool {
        self.role == SystemRole::PlatformAdmin && self.scope.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_from_outside_has_to_look_like_one() {
        assert!(RequestId::parse("abc-1.2_Z").is_some());
        assert!(RequestId::parse("").is_none());
        assert!(RequestId::parse("a b").is_none());
        assert!(RequestId::parse(&"a".repeat(129)).is_none());
    }

    #[test]
    fn role_names_round_trip_and_a_tenants_name_is_none() {
        for role in [
            SystemRole::PlatformAdmin,
            SystemRole::Owner,
            SystemRole::Member,
            SystemRole::Service,
        ] {
            assert_eq!(role.as_str().parse::<SystemRole>(), Ok(role));
        }
        for name in [
            "Platform Admin",
            "PLATFORM_ADMIN",
            "Owner",
            " owner",
            "owner ",
            "owner\0",
            "",
        ] {
            assert!(name.parse::<SystemRole>().is_err(), "{name:?}");
        }
    }
}
