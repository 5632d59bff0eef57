//! `plaza.identity.v1.Identity`: what is asked while requests are served.

use plaza_contracts::incoming::{Asker, Refusal, id, reply};
use plaza_contracts::permissions::ViewUsers;
use plaza_contracts::proto::identity::identity_server;
use plaza_contracts::proto::identity::{
    CheckSessionReply, CheckSessionRequest, CreateOwnerLinkReply, CreateOwnerLinkRequest, GetMemberRequest,
    Member, SigningKeysReply, SigningKeysRequest,
};
use plaza_database::DatabaseError;
use plaza_kernel::{Scope, TenantId};
use plaza_rpc::answer;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::{Rpc, members};

#[tonic::async_trait]
impl identity_server::Identity for Rpc {
    async fn signing_keys(
        &self,
        _: Request<SigningKeysRequest>,
    ) -> Result<Response<SigningKeysReply>, Status> {
        answer(self.0.keys().jwks().await.map(|jwks| SigningKeysReply { jwks }))
    }

    async fn check_session(
        &self,
        request: Request<CheckSessionRequest>,
    ) -> Result<Response<CheckSessionReply>, Status> {
        answer(self.check(request.into_inner()).await)
    }

    async fn create_owner_link(
        &self,
        request: Request<CreateOwnerLinkRequest>,
    ) -> Result<Response<CreateOwnerLinkReply>, Status> {
        reply(self.owner_link(request).await)
    }

    /// People see themselves, or may see the tenant's users.
    async fn get_member(&self, request: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        let get = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let user = id("user_id", &request.user_id)?;
            if !asker.is(user) {
                self.right::<ViewUsers>(asker, tenant).await?;
            }
            Ok(members::message(self.0.member(tenant, user).await?))
        };
        reply(get.await)
    }
}

impl Rpc {
    /// An id that is none is no session either: the gateway takes it for what it is, a token not to be believed.
    async fn check(&self, request: CheckSessionRequest) -> Result<CheckSessionReply, DatabaseError> {
        let scope = match request.tenant_id.as_str() {
            "" => Some(Scope::Platform),
            text => text.parse().ok().map(Scope::Tenant),
        };
        let (Some(scope), Ok(session), Ok(user)) =
            (scope, request.session_id.parse(), request.user_id.parse())
        else {
            return Ok(CheckSessionReply::default());
        };
        let role = self.0.check_session(scope, session, user).await?;
        Ok(CheckSessionReply {
            active: role.is_some(),
            role: role.unwrap_or_default(),
        })
    }

    async fn owner_link(
        &self,
        request: Request<CreateOwnerLinkRequest>,
    ) -> Result<CreateOwnerLinkReply, Refusal> {
        let right = Asker::of(&request)?.runs_platform()?;
        let tenant: TenantId = id("tenant_id", &request.get_ref().tenant_id)?;
        let link = self.0.create_owner_link(&right, tenant).await?;
        Ok(CreateOwnerLinkReply {
            token: link.token.expose_secret().to_owned(),
            expires_at: link.expires_at.timestamp(),
        })
    }
}
