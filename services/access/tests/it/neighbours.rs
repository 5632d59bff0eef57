//! An identity and a tenancy that say what a test tells them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use plaza_contracts::proto::identity::identity_server::{Identity, IdentityServer};
use plaza_contracts::proto::identity::{
    CheckSessionReply, CheckSessionRequest, CreateOwnerLinkReply, CreateOwnerLinkRequest, GetMemberRequest,
    Member, SigningKeysReply, SigningKeysRequest,
};
use plaza_contracts::proto::tenancy::tenancy_server::{Tenancy, TenancyServer};
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_contracts::services::{IDENTITY, TENANCY};
use plaza_kernel::{Failure, Kind, TenantId, UserId};
use plaza_rpc::{Directory, Peer, answer};
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

#[derive(Clone, Default)]
pub(crate) struct Neighbours(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    tenants: HashMap<String, String>,
    members: HashMap<(String, String), (String, String)>,
}

impl Neighbours {
    pub(crate) fn host(&self, directory: &Directory) {
        directory.host(IDENTITY, Routes::new(IdentityServer::new(self.clone())));
        directory.host(TENANCY, Routes::new(TenancyServer::new(self.clone())));
    }

    pub(crate) fn know_tenant(&self, tenant: TenantId, status: &str) {
        let mut known = self.0.lock().unwrap();
        known.tenants.insert(tenant.to_string(), status.to_owned());
    }

    pub(crate) fn know_member(&self, tenant: TenantId, user: UserId, role: &str, status: &str) {
        let mut known = self.0.lock().unwrap();
        let member = (role.to_owned(), status.to_owned());
        known
            .members
            .insert((tenant.to_string(), user.to_string()), member);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not here")]
struct Missing(&'static str);

impl Failure for Missing {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }

    fn code(&self) -> &'static str {
        self.0
    }
}

#[async_trait]
impl Tenancy for Neighbours {
    async fn resolve(&self, _: Request<ResolveRequest>) -> Result<Response<Tenant>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Tenant>, Status> {
        let tenant_id = request.into_inner().tenant_id;
        let status = self.0.lock().unwrap().tenants.get(&tenant_id).cloned();
        answer(status.ok_or(Missing("TENANT_NOT_FOUND")).map(|status| Tenant {
            tenant_id,
            status,
            ..Tenant::default()
        }))
    }
}

#[async_trait]
impl Identity for Neighbours {
    /// As identity does: a person needs a right of their own to be told of members.
    async fn get_member(&self, request: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        if let Some(person) = &request.extensions().get::<Peer>().unwrap().caller {
            return Err(Status::permission_denied(person.subject.to_string()));
        }
        let GetMemberRequest { tenant_id, user_id } = request.into_inner();
        let member = self
            .0
            .lock()
            .unwrap()
            .members
            .get(&(tenant_id, user_id.clone()))
            .cloned();
        answer(
            member
                .ok_or(Missing("USER_NOT_FOUND"))
                .map(|(role, status)| Member {
                    user_id,
                    role,
                    status,
                    ..Member::default()
                }),
        )
    }

    async fn signing_keys(
        &self,
        _: Request<SigningKeysRequest>,
    ) -> Result<Response<SigningKeysReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn check_session(
        &self,
        _: Request<CheckSessionRequest>,
    ) -> Result<Response<CheckSessionReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn create_owner_link(
        &self,
        _: Request<CreateOwnerLinkRequest>,
    ) -> Result<Response<CreateOwnerLinkReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}
