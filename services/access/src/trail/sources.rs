//! The audits of the services: access's own in its database, the others by their gRPC API.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use plaza_audit::{AuditFilter, AuditRow, Progress, Verified};
use plaza_contracts::audit;
use plaza_contracts::proto::audit::{ListAuditReply, ListAuditRequest, VerifyAuditReply, VerifyAuditRequest};
use plaza_contracts::proto::broadcast::audit_client::AuditClient as BroadcastAudit;
use plaza_contracts::proto::identity::audit_client::AuditClient as IdentityAudit;
use plaza_contracts::proto::notification::audit_client::AuditClient as NotificationAudit;
use plaza_contracts::proto::tenancy::audit_client::AuditClient as TenancyAudit;
use plaza_contracts::services::{ACCESS, BROADCAST, IDENTITY, NOTIFICATION, TENANCY};
use plaza_database::Database;
use plaza_kernel::{Clock, PageQuery, Scope, ServiceName};
use plaza_rpc::{Directory, RpcError, Transport};

use super::TrailError;

/// How many pages of its own chain access checks in one step.
const PAGES: u32 = 25;

/// The audits of all services. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sources(Arc<Vec<Source>>);

/// The audit of one service.
pub(crate) struct Source {
    pub(crate) service: ServiceName,
    way: Way,
}

enum Way {
    Own(Database, Clock),
    Asked(Box<dyn Asked>),
}

/// What a service of another package answers; the messages are the same for all.
trait Asked: Send + Sync {
    fn asked_for_entries(
        &self,
        request: ListAuditRequest,
    ) -> BoxFuture<'static, Result<ListAuditReply, RpcError>>;

    fn asked_to_check(
        &self,
        request: VerifyAuditRequest,
    ) -> BoxFuture<'static, Result<VerifyAuditReply, RpcError>>;
}

macro_rules! asked {
    ($($client:ident),*) => {
        $(impl Asked for $client<Transport> {
            fn asked_for_entries(&self, request: ListAuditRequest) -> BoxFuture<'static, Result<ListAuditReply, RpcError>> {
                let mut client = self.clone();
                async move { Ok(client.list(request).await?.into_inner()) }.boxed()
            }

            fn asked_to_check(
                &self,
                request: VerifyAuditRequest,
            ) -> BoxFuture<'static, Result<VerifyAuditReply, RpcError>> {
                let mut client = self.clone();
                async move { Ok(client.verify(request).await?.into_inner()) }.boxed()
            }
        })*
    };
}

asked!(IdentityAudit, TenancyAudit, NotificationAudit, BroadcastAudit);

impl Sources {
    /// Connects to nothing yet.
    pub(crate) fn new(own: Database, clock: Clock, directory: &Directory) -> Self {
        let asked = |service, asked: Box<dyn Asked>| Source {
            service,
            way: Way::Asked(asked),
        };
        let way = |service| directory.transport(service);
        Self(Arc::new(vec![
            asked(IDENTITY, Box::new(IdentityAudit::new(way(IDENTITY)))),
            asked(TENANCY, Box::new(TenancyAudit::new(way(TENANCY)))),
            Source {
                service: ACCESS,
                way: Way::Own(own, clock),
            },
            asked(NOTIFICATION, Box::new(NotificationAudit::new(way(NOTIFICATION)))),
            asked(BROADCAST, Box::new(BroadcastAudit::new(way(BROADCAST)))),
        ]))
    }

    pub(crate) fn all(&self) -> &[Source] {
        &self.0
    }
}

impl Source {
    /// The newest entries before a cursor, and whether there are more.
    pub(super) async fn page(
        &self,
        scope: Scope,
        filter: &AuditFilter,
        page: PageQuery,
    ) -> Result<(Vec<AuditRow>, bool), TrailError> {
        match &self.way {
            Way::Own(database, _) => {
                let page = plaza_audit::list(database, scope, filter, page).await?;
                Ok((page.items, page.next_cursor.is_some()))
            }
            Way::Asked(service) => {
                let cursor = page.cursor.map(|cursor| cursor.to_string());
                let question = audit::question(scope, filter, page.limit.get(), cursor);
                let reply = service.asked_for_entries(question).await?;
                let rows: Result<_, _> = reply.entries.into_iter().map(audit::row).collect();
                Ok((rows?, !reply.next_cursor.is_empty()))
            }
        }
    }

    /// Checks a piece of its chain, and says where to go on.
    pub(super) async fn verify(
        &self,
        scope: Scope,
        from: Progress,
    ) -> Result<(Verified, Option<Progress>), TrailError> {
        match &self.way {
            Way::Own(database, clock) => {
                Ok(plaza_audit::verify_some(database, clock, scope, from, PAGES).await?)
            }
            Way::Asked(service) => {
                let reply = service.asked_to_check(audit::piece(scope, from)).await?;
                Ok(audit::verified(reply)?)
            }
        }
    }
}
