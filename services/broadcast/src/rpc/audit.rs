//! `plaza.broadcast.v1.Audit`: what was done here, for the audit of the whole.

use plaza_contracts::audit;
use plaza_contracts::incoming::reply;
use plaza_contracts::proto::audit::{ListAuditReply, ListAuditRequest, VerifyAuditReply, VerifyAuditRequest};
use plaza_contracts::proto::broadcast::audit_server::Audit;
use tonic::{Request, Response, Status, async_trait};

use super::Rpc;

#[async_trait]
impl Audit for Rpc {
    async fn list(&self, request: Request<ListAuditRequest>) -> Result<Response<ListAuditReply>, Status> {
        reply(audit::list(&self.0.database, request).await)
    }

    async fn verify(
        &self,
        request: Request<VerifyAuditRequest>,
    ) -> Result<Response<VerifyAuditReply>, Status> {
        reply(audit::verify(&self.0.database, &self.0.clock, request).await)
    }
}
