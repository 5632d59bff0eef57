//! Sessions: a login, its family of refresh tokens, and the access tokens that speak for it.

mod change_password;
mod check;
mod end_all;
pub(crate) mod http;
mod list;
mod login;
mod logout;
mod me;
pub(crate) mod own;
mod refresh;
mod revoke;
pub(crate) mod store;
mod update_me;

use chrono::TimeDelta;
use plaza_contracts::tokens::{AUDIENCE, AccessClaims};
use plaza_kernel::{Scope, SessionId, SystemRole, UserId};
use secrecy::SecretString;

pub use change_password::ChangePasswordError;
pub(crate) use change_password::PasswordChange;
pub use end_all::EndSessionsError;
pub(crate) use list::Session;
pub(crate) use login::Login;
pub use login::LoginError;
pub use me::{Me, MeError};
pub use refresh::RefreshError;
pub(crate) use update_me::AboutMe;
pub use update_me::UpdateMeError;

use crate::Identity;
use crate::keys::{KeysError, OpenKeys};
use crate::opaque::OpaqueToken;

/// What a login or a refresh gives.
#[derive(Debug)]
pub(crate) struct TokenPair {
    pub(crate) access: SecretString,
    pub(crate) refresh: SecretString,
    /// How many seconds the access token is good for.
    pub(crate) expires_in: u32,
}

/// For whom an access token speaks.
#[derive(Debug, Clone, Copy)]
struct Speaker {
    scope: Scope,
    user: UserId,
    session: SessionId,
    role: SystemRole,
}

impl Identity {
    /// An access token beside its refresh token.
    fn pair(&self, keys: &OpenKeys, speaker: Speaker, refresh: &OpaqueToken) -> Result<TokenPair, KeysError> {
        let (config, now) = (self.config(), self.clock().now());
        let claims = AccessClaims {
            iss: config.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: speaker.user,
            tid: speaker.scope.tenant(),
            sid: speaker.session,
            role: speaker.role,
            jti: self.clock().uuid().simple().to_string(),
            iat: now.timestamp(),
            exp: (now + TimeDelta::seconds(config.access_token_seconds.into())).timestamp(),
        };
        Ok(TokenPair {
            access: keys.sign(&claims)?.into(),
            refresh: refresh.text(),
            expires_in: config.access_token_seconds,
        })
    }
}
