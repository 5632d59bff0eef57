//! The audits of the other services: real ones, each in its schema, behind the gRPC API that every service has.

use plaza_audit::{Action, AuditId, Chainer, ChainerSettings, Entry, record};
use plaza_contracts::proto::audit::{ListAuditReply, ListAuditRequest, VerifyAuditReply, VerifyAuditRequest};
use plaza_contracts::proto::{broadcast, identity, notification, tenancy};
use plaza_contracts::services::{ACCESS, BROADCAST, IDENTITY, NOTIFICATION, TENANCY};
use plaza_contracts::{audit, incoming};
use plaza_database::Database;
use plaza_kernel::{Caller, Clock, Scope, ServiceName};
use plaza_rpc::Directory;
use plaza_testkit::TestDatabase;
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use crate::neighbours::Neighbours;
use crate::stage::Stage;

/// Who else has an audit.
pub(crate) const OTHERS: [ServiceName; 4] = [IDENTITY, TENANCY, NOTIFICATION, BROADCAST];

/// Something is done to a thing.
static DO: Action = Action::new("things.do", "thing", &["name"]);

#[derive(Clone)]
struct Audit(Database, Clock);

macro_rules! answered {
    ($($service:ident),*) => {
        $(#[async_trait]
        impl $service::audit_server::Audit for Audit {
            async fn list(&self, request: Request<ListAuditRequest>) -> Result<Response<ListAuditReply>, Status> {
                incoming::reply(audit::list(&self.0, request).await)
            }

            async fn verify(
                &self,
                request: Request<VerifyAuditRequest>,
            ) -> Result<Response<VerifyAuditReply>, Status> {
                incoming::reply(audit::verify(&self.0, &self.1, request).await)
            }
        })*
    };
}

answered!(identity, tenancy, notification, broadcast);

/// Hosts all of them, and neighbours beside those that have more to say.
pub(crate) fn host(database: &TestDatabase, clock: &Clock, directory: &Directory, neighbours: &Neighbours) {
    let of = |service| Audit(database.of(service), clock.clone());
    let identity_audit = identity::audit_server::AuditServer::new(of(IDENTITY));
    let tenancy_audit = tenancy::audit_server::AuditServer::new(of(TENANCY));
    let notification_audit = notification::audit_server::AuditServer::new(of(NOTIFICATION));
    let broadcast_audit = broadcast::audit_server::AuditServer::new(of(BROADCAST));
    let identity = identity::identity_server::IdentityServer::new(neighbours.clone());
    let tenancy = tenancy::tenancy_server::TenancyServer::new(neighbours.clone());
    directory.host(IDENTITY, Routes::new(identity).add_service(identity_audit));
    directory.host(TENANCY, Routes::new(tenancy).add_service(tenancy_audit));
    directory.host(NOTIFICATION, Routes::new(notification_audit));
    directory.host(BROADCAST, Routes::new(broadcast_audit));
}

impl Stage {
    /// In a service something is done by somebody, to a thing.
    pub(crate) async fn done(
        &self,
        service: ServiceName,
        scope: impl Into<Scope>,
        by: &Caller,
        thing: &str,
    ) -> AuditId {
        let entry = Entry::of(&DO, thing)
            .by(by)
            .after(serde_json::json!({"name": "A thing"}));
        let database = self.database.of(service);
        match scope.into() {
            Scope::Tenant(tenant) => {
                let tx = database.begin(tenant);
                let id = record(&tx, &self.clock, entry).await.unwrap();
                tx.commit().await.unwrap();
                id
            }
            Scope::Platform => {
                let tx = database.begin_platform();
                let id = record(&tx, &self.clock, entry).await.unwrap();
                tx.commit().await.unwrap();
                id
            }
        }
    }

    /// All that is due is chained.
    pub(crate) async fn chain(&self) {
        for service in OTHERS.into_iter().chain([ACCESS]) {
            let settings = ChainerSettings::default();
            let chainer = Chainer::new(self.database.of(service), &self.clock, settings);
            chainer.chain_due().await.unwrap();
        }
    }

    /// As a superuser: what nobody else may.
    pub(crate) async fn tamper(&self, sql: &str) {
        let touched = self.database.admin().await.execute(sql, &[]).await.unwrap();
        assert!(touched > 0, "nothing was touched by {sql}");
    }
}
