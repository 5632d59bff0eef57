//! `plaza.tenancy.v1.Audit`: what was done here, for the audit of the whole.

use plaza_contracts::audit;
use plaza_contracts::incoming::reply;
use plaza_contracts::proto::audit::{ListAuditReply, ListAuditRequest, VerifyAuditReply, VerifyAuditRequest};
use plaza_contracts::proto::tenancy::audit_server::Audit;
use tonic::{Request, Response, Status, async_trait};

use crate::Tenancy;

#[async_trait]
impl Audit for Tenancy {
    async fn list(&self, request: Request<ListAuditRequest>) -> Result<Response<ListAuditReply>, Status> {
        reply(audit::list(&self.inner.database, request).await)
    }

    async fn verify(
        &self,
        request: Request<VerifyAuditRequest>,
    ) -> Result<Response<VerifyAuditReply>, Status> {
        reply(audit::verify(&self.inner.database, &self.inner.clock, request).await)
    }
}
