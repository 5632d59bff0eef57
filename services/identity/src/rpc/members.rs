//! `plaza.identity.v1.Members`: the members of a tenant.

use plaza_contracts::email::Email;
use plaza_contracts::incoming::{Asker, Refusal, page, reply, time};
use plaza_contracts::proto::identity::members_server;
use plaza_contracts::proto::identity::{
    FindMemberRequest, InviteMemberReply, InviteMemberRequest, ListMembersReply, ListMembersRequest,
    Member as MemberMessage,
};
use plaza_kernel::OnceKey;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::Rpc;
use crate::users::{Invitation, Invite, Member, PersonName};

#[tonic::async_trait]
impl members_server::Members for Rpc {
    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let page = page(request.limit, &request.cursor)?;
            let right = self.right(asker, tenant).await?;
            let page = self.0.members(&right, page, 0).await?;
            Ok(ListMembersReply {
                members: page.items.into_iter().map(message).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn find_member(
        &self,
        request: Request<FindMemberRequest>,
    ) -> Result<Response<MemberMessage>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let email: Email = request.email.parse()?;
            let right = self.right(asker, tenant).await?;
            Ok(message(self.0.find_member(&right, &email).await?))
        };
        reply(find.await)
    }

    async fn invite_member(
        &self,
        request: Request<InviteMemberRequest>,
    ) -> Result<Response<InviteMemberReply>, Status> {
        reply(self.invite(request).await)
    }
}

impl Rpc {
    async fn invite(&self, request: Request<InviteMemberRequest>) -> Result<InviteMemberReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let tenant = asker.tenant(&request.tenant_id)?;
        let invitation = Invitation {
            email: request.email.parse()?,
            name: PersonName::parse(Some(&request.name))?,
        };
        let right = self.right(asker, tenant).await?;
        let (Invite { user, link }, _) = self.0.invite(&right, invitation, &OnceKey::NONE).await?;
        Ok(InviteMemberReply {
            user_id: user.to_string(),
            setup_url: self.0.setup_url(&link.token),
            token: link.token.expose_secret().to_owned(),
            expires_at: time(link.expires_at),
        })
    }
}

pub(super) fn message(member: Member) -> MemberMessage {
    MemberMessage {
        user_id: member.user_id.to_string(),
        email: member.email,
        name: member.name,
        role: member.role,
        status: member.status,
        created_at: time(member.created_at),
    }
}
