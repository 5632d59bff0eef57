//! Refresh: exchange a refresh token for the next one and an access token.
//!
//! A refresh token is good once. Its successor follows from it and the server's key, so a client that lost the answer
//! gets the *same* successor again for a few seconds, as long as nobody used it. Anything later means that two parties
//! hold the token, and one of them stole it: the whole family ends (RFC 9700 §4.14.2).

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, Limits, Scope, SessionId, SystemRole, TenantId, UserId};
use plaza_rpc::RpcError;
use plaza_throttle::Throttled;

use super::store::{Presented, Statements};
use super::{Speaker, TokenPair};
use crate::Identity;
use crate::keys::KeysError;
use crate::opaque::OpaqueToken;
use crate::scoped::{self, ScopedTx};

/// A refresh was refused.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Not a refresh token, expired, or its session has ended.
    #[error("the refresh token is not valid")]
    Invalid,
    /// It had been used: its session has been ended.
    #[error("the refresh token had been used before; its session has been ended")]
    Reused,
    /// The tenant is suspended or being deleted.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database failed.
    #[error("the refresh could not be stored")]
    Database(#[from] DatabaseError),
    /// Tenancy could not be asked.
    #[error("the tenant could not be looked up")]
    Tenancy(#[from] RpcError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Failure for RefreshError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid | Self::Reused => Kind::Unauthenticated,
            Self::TenantSuspended => Kind::Forbidden,
            Self::Throttled(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Tenancy(error) => error.kind(),
            Self::Keys(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "INVALID_REFRESH_TOKEN",
            Self::Reused => "REFRESH_REUSED",
            Self::TenantSuspended => "TENANT_SUSPENDED",
            Self::Throttled(error) => error.code(),
            Self::Database(error) => error.code(),
            Self::Tenancy(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Invalid | Self::Reused | Self::TenantSuspended => None,
            Self::Throttled(error) => error.retry_after(),
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

/// What to do about a token that could not be rotated.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is of no use, and nothing more follows.
    Refuse,
    /// An answer was lost: give the same successor again.
    Repeat,
    /// Two parties hold it.
    EndFamily,
}

impl Presented {
    fn verdict(&self, now: DateTime<Utc>, grace: TimeDelta) -> Verdict {
        match self.used_at {
            _ if !self.live => Verdict::Refuse,
            None => Verdict::Refuse, // expired without having been used
            Some(at) if self.successor_exists && !self.successor_used && now - at <= grace => Verdict::Repeat,
            Some(_) => Verdict::EndFamily,
        }
    }
}

impl Identity {
    /// Rotates a refresh token. On a tenant's host only that tenant's are good.
    pub(crate) async fn refresh(
        &self,
        text: &str,
        host: Option<TenantId>,
    ) -> Result<TokenPair, RefreshError> {
        let token = OpaqueToken::parse(text).ok_or(RefreshError::Invalid)?;
        if host.is_some() && host != token.scope().tenant() {
            return Err(RefreshError::Invalid);
        }
        self.throttle_session_of(&token).await?;
        self.check_tenant_of(&token).await?;
        let keys = self.keys().open().await?;
        let next = token.successor(keys.server());
        let (user, session, role) = self.rotate(&token, &next).await?;
        // The database accepts no other roles; a new one that this version does not know gets no token.
        let role: SystemRole = role.parse().map_err(|_| RefreshError::Invalid)?;
        Ok(self.pair(
            &keys,
            Speaker {
                scope: token.scope(),
                user,
                session,
                role,
            },
            &next,
        )?)
    }

    async fn throttle_session_of(&self, token: &OpaqueToken) -> Result<(), RefreshError> {
        let session_of = Statements::of(token.scope()).session_of;
        let found = scoped::read(self.database(), token.scope(), session_of, (token.hash(),)).await?;
        let (session,) = found.into_iter().next().ok_or(RefreshError::Invalid)?;
        Ok(self.throttling().refresh(session).await?)
    }

    async fn check_tenant_of(&self, token: &OpaqueToken) -> Result<(), RefreshError> {
        let Scope::Tenant(tenant) = token.scope() else {
            return Ok(());
        };
        match self.tenants().by_id(tenant).await? {
            Some(tenant) if tenant.open => Ok(()),
            Some(_) => Err(RefreshError::TenantSuspended),
            None => Err(RefreshError::Invalid),
        }
    }

    async fn rotate(
        &self,
        token: &OpaqueToken,
        next: &OpaqueToken,
    ) -> Result<(UserId, SessionId, String), RefreshError> {
        let (now, statements) = (self.clock().now(), Statements::of(token.scope()));
        let idle = TimeDelta::seconds(self.config().refresh_idle_seconds.into());
        let grace = TimeDelta::seconds(self.config().refresh_grace_seconds.into());

        let tx = ScopedTx::begin(self.database(), token.scope());
        let rotated = tx
            .optional(statements.rotate, (token.hash(), next.hash(), now, now + idle))
            .await?;
        if let Some(rotated) = rotated {
            tx.commit().await?;
            return Ok((rotated.user_id, rotated.session_id, rotated.role));
        }
        let presented = tx
            .optional(statements.presented, (token.hash(), next.hash(), now))
            .await?;
        let presented = presented.ok_or(RefreshError::Invalid)?;
        match (presented.verdict(now, grace), presented.role) {
            (Verdict::Repeat, Some(role)) => Ok((presented.user_id, presented.session_id, role)),
            (Verdict::Refuse | Verdict::Repeat, _) => Err(RefreshError::Invalid),
            (Verdict::EndFamily, _) => {
                tx.execute(
                    statements.revoke,
                    (presented.session_id, now, "refresh_reused".to_owned()),
                )
                .await?;
                // Before the answer: an error that rolled back would undo the revocation.
                tx.commit().await?;
                tracing::warn!(session = %presented.session_id, "refresh token reused, session ended");
                Err(RefreshError::Reused)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn only_an_unused_successor_within_the_grace_is_given_again() {
        let (clock, now) = (Clock::system(), Clock::system().now());
        let presented = |used: Option<i64>, successor_used: bool, live: bool| Presented {
            session_id: SessionId::generate(&clock),
            user_id: UserId::generate(&clock),
            role: Some("member".to_owned()),
            live,
            used_at: used.map(|ago| now - TimeDelta::seconds(ago)),
            successor_exists: true,
            successor_used,
        };
        let verdict = |presented: Presented| presented.verdict(now, TimeDelta::seconds(10));
        assert_eq!(verdict(presented(Some(9), false, true)), Verdict::Repeat);
        assert_eq!(verdict(presented(Some(11), false, true)), Verdict::EndFamily);
        assert_eq!(verdict(presented(Some(1), true, true)), Verdict::EndFamily);
        assert_eq!(verdict(presented(Some(1), false, false)), Verdict::Refuse);
        assert_eq!(verdict(presented(None, false, true)), Verdict::Refuse);
    }
}
