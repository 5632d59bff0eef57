//! An access whose grants a test sets by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use plaza_contracts::proto::access::access_server::{Access, AccessServer};
use plaza_contracts::proto::access::{
    BatchCheckReply, BatchCheckRequest, CheckReply, CheckRequest, ExplainReply, ExplainRequest, GrantsReply,
    GrantsRequest, VersionReply, VersionRequest,
};
use plaza_contracts::services::ACCESS;
use plaza_kernel::{Permission, PermissionSet, TenantId, UserId};
use plaza_rpc::Directory;
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

#[derive(Clone, Default)]
pub(crate) struct StubAccess(Arc<Mutex<HashMap<(String, String), PermissionSet>>>);

impl StubAccess {
    pub(crate) fn host(&self, directory: &Directory) {
        directory.host(ACCESS, Routes::new(AccessServer::new(self.clone())));
    }

    /// This member may do this, and nothing else. To be said before anybody asks: askers remember.
    pub(crate) fn grant<P: Permission>(&self, tenant: TenantId, user: UserId) {
        let member = (tenant.to_string(), user.to_string());
        let grants = PermissionSet::none().with(P::BIT);
        self.0.lock().unwrap().insert(member, grants);
    }
}

#[async_trait]
impl Access for StubAccess {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        Ok(Response::new(VersionReply { version: 1 }))
    }

    async fn grants(&self, request: Request<GrantsRequest>) -> Result<Response<GrantsReply>, Status> {
        let GrantsRequest { tenant_id, user_id } = request.into_inner();
        let granted = self.0.lock().unwrap().get(&(tenant_id, user_id)).copied();
        Ok(Response::new(GrantsReply {
            version: 1,
            words: granted.unwrap_or_default().words().to_vec(),
        }))
    }

    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn batch_check(&self, _: Request<BatchCheckRequest>) -> Result<Response<BatchCheckReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}
