//! The access token: what identity signs and the gateway verifies.

use plaza_kernel::{Caller, SessionId, SystemRole, TenantId, UserId};
use serde::{Deserialize, Serialize};

/// `typ` of an access token (RFC 9068).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// `aud` of an access token.
pub const AUDIENCE: &str = "plaza";

/// The claims of an access token. EdDSA, ten minutes, no permissions inside, no `nbf`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessClaims {
    /// Who signed it.
    pub iss: String,
    /// For whom: [`AUDIENCE`].
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// The tenant; absent for the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<TenantId>,
    /// The session.
    pub sid: SessionId,
    /// The coarse role.
    pub role: SystemRole,
    /// The token's own id.
    pub jti: String,
    /// Seconds since the Unix epoch.
    pub iat: i64,
    /// Seconds since the Unix epoch.
    pub exp: i64,
}

impl AccessClaims {
    /// The caller that the token speaks of. None when role and tenant do not go together: a platform administrator
    /// has no tenant, everybody else has one.
    pub fn caller(&self) -> Option<Caller> {
        let fits = (self.role == SystemRole::PlatformAdmin) == self.tid.is_none();
        fits.then_some(Caller {
            scope: self.tid,
            subject: self.sub,
            session: self.sid,
            role: self.role,
        })
    }
}
