//! The gRPC API: what the gateway and the other services ask of identity.

use plaza_contracts::proto::identity::identity_server::{self, IdentityServer};
use plaza_contracts::proto::identity::{
    CheckSessionReply, CheckSessionRequest, CreateOwnerLinkReply, CreateOwnerLinkRequest, GetMemberRequest,
    Member, SigningKeysReply, SigningKeysRequest,
};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, Scope, TenantId};
use plaza_rpc::answer;
use secrecy::ExposeSecret;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::Identity;
use crate::users::MemberError;

/// An id in a request is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an id")]
struct NotAnId(&'static str);

impl Failure for NotAnId {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_ID"
    }
}

fn tenant_id(text: &str) -> Result<TenantId, NotAnId> {
    text.parse().map_err(|_| NotAnId("tenant_id"))
}

pub(crate) fn routes(identity: Identity) -> Routes {
    Routes::new(IdentityServer::new(Rpc(identity)))
}

struct Rpc(Identity);

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
        let tenant = match tenant_id(&request.into_inner().tenant_id) {
            Ok(tenant) => tenant,
            Err(error) => return answer(Err(error)),
        };
        answer(
            self.0
                .create_owner_link(tenant)
                .await
                .map(|link| CreateOwnerLinkReply {
                    token: link.token.expose_secret().to_owned(),
                    expires_at: link.expires_at.timestamp(),
                }),
        )
    }

    async fn get_member(&self, request: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        answer(self.member(request.into_inner()).await)
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

    async fn member(&self, request: GetMemberRequest) -> Result<Member, MemberError> {
        let tenant = tenant_id(&request.tenant_id).map_err(|_| MemberError::NotFound)?;
        let user = request.user_id.parse().map_err(|_| MemberError::NotFound)?;
        let member = self.0.member(tenant, user).await?;
        Ok(Member {
            user_id: member.user_id.to_string(),
            email: member.email,
            name: member.name,
            role: member.role,
            status: member.status,
        })
    }
}
