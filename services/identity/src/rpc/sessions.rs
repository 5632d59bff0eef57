//! `plaza.identity.v1.Sessions`: logins, one's own and others'.

use plaza_contracts::incoming::{Asker, Refusal, id, page, reply, time};
use plaza_contracts::permissions::{UpdateUsers, ViewUsers};
use plaza_contracts::proto::identity::sessions_server;
use plaza_contracts::proto::identity::{
    ListSessionsReply, ListSessionsRequest, RevokeSessionReply, RevokeSessionRequest,
    Session as SessionMessage,
};
use plaza_kernel::{Scope, UserId};
use tonic::{Request, Response, Status};

use super::Rpc;
use crate::sessions::Session;

#[tonic::async_trait]
impl sessions_server::Sessions for Rpc {
    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let user = id("user_id", &request.user_id)?;
            let page = page(request.limit, &request.cursor)?;
            let scope = self.scope_for(asker, &request.tenant_id, user).await?;
            let page = self.0.sessions(scope, user, page, 0).await?;
            Ok(ListSessionsReply {
                sessions: page.items.into_iter().map(message).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionReply>, Status> {
        let revoke = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let user = id("user_id", &request.user_id)?;
            let session = id("session_id", &request.session_id)?;
            if request.tenant_id.is_empty() || asker.is(user) {
                let scope = self.own_scope(&asker, &request.tenant_id)?;
                self.0.revoke(scope, user, session).await?;
            } else {
                let tenant = asker.tenant(&request.tenant_id)?;
                let right = self.right::<UpdateUsers>(asker, tenant).await?;
                self.0.revoke_of_member(&right, user, session).await?;
            }
            Ok(RevokeSessionReply {})
        };
        reply(revoke.await)
    }
}

impl Rpc {
    /// Where the sessions of this user lie, if whoever asks may see them. One's own are everybody's business.
    async fn scope_for(&self, asker: Asker, tenant: &str, user: UserId) -> Result<Scope, Refusal> {
        let scope = self.own_scope(&asker, tenant)?;
        if let Scope::Tenant(tenant) = scope
            && !asker.is(user)
        {
            self.right::<ViewUsers>(asker, tenant).await?;
        }
        Ok(scope)
    }

    /// A tenant of whoever asks; the platform for who runs it.
    fn own_scope(&self, asker: &Asker, tenant: &str) -> Result<Scope, Refusal> {
        if tenant.is_empty() {
            asker.runs_platform()?;
            return Ok(Scope::Platform);
        }
        Ok(Scope::Tenant(asker.tenant(tenant)?))
    }
}

fn message(session: Session) -> SessionMessage {
    SessionMessage {
        session_id: session.id.to_string(),
        user_id: session.user.to_string(),
        created_at: time(session.created_at),
        refreshed_at: time(session.refreshed_at),
        expires_at: time(session.expires_at),
    }
}
