//! Who asks: from the access token to the caller. A token is verified once and then known by its hash; whether its
//! session still stands is confirmed every few seconds, so that a request that goes well asks nobody.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::HeaderValue;
use plaza_contracts::proto::identity::CheckSessionRequest;
use plaza_contracts::proto::identity::identity_client::IdentityClient;
use plaza_contracts::remembered::{Recent, Remembered};
use plaza_contracts::tokens::AccessClaims;
use plaza_crypto::sha256;
use plaza_kernel::{Caller, Clock, SessionId, SystemRole, TenantId, UserId};
use plaza_rpc::{RpcError, Transport};
use plaza_web::event_stream::ASKED_EVERY;
use tokio_util::task::TaskTracker;

use crate::confirmed::{ANSWER_WITHIN, Confirmer};
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::settings::{GatewaySettings, seconds};
use crate::tenants::{Tenants, Usability};
use crate::token::Unverified;

const TOKENS: usize = 32_768;
const SESSIONS: usize = 32_768;

/// The role of the session's user as it is now; none once the session has ended.
type Standing = Arc<Remembered<Option<SystemRole>>>;
/// A session is only good for the user and the tenant it was made for.
type SessionKey = (SessionId, UserId, Option<TenantId>);

/// A token whose signature and claims were found good.
struct Verified {
    caller: Caller,
    expires: i64,
    standing: Standing,
    tenant: Option<(TenantId, Usability)>,
}

/// Knows callers by their tokens.
pub(crate) struct Authentication {
    identity: IdentityClient<Transport>,
    keys: Keys,
    confirmer: Confirmer,
    issuer: String,
    leeway: i64,
    tokens: Recent<[u8; 32], Arc<Verified>>,
    sessions: Recent<SessionKey, Standing>,
}

impl Authentication {
    pub(crate) fn new(
        identity: Transport,
        clock: Clock,
        tasks: TaskTracker,
        settings: &GatewaySettings,
    ) -> Self {
        let identity = IdentityClient::new(identity);
        Self {
            keys: Keys::new(identity.clone(), clock.clone(), settings),
            identity,
            confirmer: Confirmer {
                clock,
                tasks,
                good_for: seconds(settings.revocation_seconds),
            },
            issuer: settings.issuer.clone(),
            leeway: i64::from(settings.leeway_seconds),
            tokens: Recent::new(TOKENS),
            sessions: Recent::new(SESSIONS),
        }
    }

    /// The caller behind a token.
    pub(crate) async fn caller(
        &self,
        token: &str,
        tenants: &Tenants,
        now: DateTime<Utc>,
    ) -> Result<Caller, Refusal> {
        let hash = sha256(token.as_bytes());
        let verified = match self.tokens.get(&hash) {
            Some(known) => known,
            None => self.verify(hash, token, tenants, now).await?,
        };
        if now.timestamp() >= verified.expires.saturating_add(self.leeway) {
            self.tokens.remove(&hash);
            return Err(Refusal::InvalidToken);
        }
        self.check_standing(&verified, tenants, now).await?;
        Ok(verified.caller.clone())
    }

    /// Waits until the bearer of a token is not let in any more: its time is over, its session has ended, its role has changed,
    /// its tenant is closed, or nobody confirms that none of this is so.
    pub(crate) async fn shut_out(&self, token: &str, tenants: &Tenants, clock: &Clock) {
        loop {
            tokio::time::sleep(ASKED_EVERY).await;
            if self.caller(token, tenants, clock.now()).await.is_err() {
                return;
            }
        }
    }

    /// The expensive part, once per token. Only good tokens are remembered: strangers cannot fill the memory.
    async fn verify(
        &self,
        hash: [u8; 32],
        token: &str,
        tenants: &Tenants,
        now: DateTime<Utc>,
    ) -> Result<Arc<Verified>, Refusal> {
        let unverified = Unverified::read(token).ok_or(Refusal::InvalidToken)?;
        let keys = self.keys.for_key(&unverified.kid).await?;
        if !keys.verify(&unverified.kid, unverified.message, unverified.signature) {
            return Err(Refusal::InvalidToken);
        }
        let claims = unverified
            .claims(&self.issuer, now.timestamp(), self.leeway)
            .ok_or(Refusal::InvalidToken)?;
        let verified = self.remember(&claims, tenants).ok_or(Refusal::InvalidToken)?;
        Ok(self.tokens.get_or_insert_with(&hash, || verified))
    }

    fn remember(&self, claims: &AccessClaims, tenants: &Tenants) -> Option<Arc<Verified>> {
        let caller = claims.caller()?;
        let standing = self
            .sessions
            .get_or_insert_with(&(caller.session, caller.subject, caller.scope), Arc::default);
        let tenant = caller.scope.map(|tenant| (tenant, tenants.usability(tenant)));
        Some(Arc::new(Verified {
            caller,
            expires: claims.exp,
            standing,
            tenant,
        }))
    }

    /// The session stands, the role is still the one in the token, and the tenant may be used.
    async fn check_standing(
        &self,
        verified: &Verified,
        tenants: &Tenants,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let caller = &verified.caller;
        let role = self
            .confirmer
            .confirm(&verified.standing, now, || self.ask_session(caller))
            .await?;
        if role != Some(caller.role) {
            return Err(Refusal::InvalidToken);
        }
        if let Some((tenant, usability)) = &verified.tenant
            && !self
                .confirmer
                .confirm(usability, now, || tenants.ask_usable(*tenant))
                .await?
        {
            return Err(Refusal::InvalidToken);
        }
        Ok(())
    }

    fn ask_session(
        &self,
        caller: &Caller,
    ) -> impl Future<Output = Result<Option<SystemRole>, RpcError>> + Send + use<> {
        let mut identity = self.identity.clone();
        let question = CheckSessionRequest {
            session_id: caller.session.to_string(),
            user_id: caller.subject.to_string(),
            tenant_id: caller.scope.map(|tenant| tenant.to_string()).unwrap_or_default(),
        };
        async move {
            let mut request = tonic::Request::new(question);
            request.set_timeout(ANSWER_WITHIN);
            let reply = identity.check_session(request).await?.into_inner();
            Ok(reply.role.parse().ok().filter(|_| reply.active))
        }
    }
}

/// What stands in `Authorization`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    Nothing,
    Token(&'a str),
    /// Credentials that are no access token.
    Other,
}

/// Reads the one `Authorization` header (RFC 6750 §2.1). Nothing is ever read from the query.
pub(crate) fn shown(header: Option<&HeaderValue>) -> Shown<'_> {
    let Some(value) = header else {
        return Shown::Nothing;
    };
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Shown::Other;
    };
    let is_token = !token.is_empty()
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if scheme.eq_ignore_ascii_case("bearer") && is_token {
        Shown::Token(token)
    } else {
        Shown::Other
    }
}
