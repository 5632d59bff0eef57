//! The gRPC API: what the gateway and the other services ask of identity.

mod accounts;
mod audit;
mod lookups;
mod members;
mod sessions;

use plaza_contracts::incoming::{Asker, Refusal, TenantRight};
use plaza_contracts::proto::identity::accounts_server::AccountsServer;
use plaza_contracts::proto::identity::audit_server::AuditServer;
use plaza_contracts::proto::identity::identity_server::IdentityServer;
use plaza_contracts::proto::identity::members_server::MembersServer;
use plaza_contracts::proto::identity::sessions_server::SessionsServer;
use plaza_kernel::{Permission, TenantId};
use tonic::service::Routes;

use crate::Identity;

pub(crate) fn routes(identity: Identity) -> Routes {
    let rpc = Rpc(identity);
    Routes::new(IdentityServer::new(rpc.clone()))
        .add_service(MembersServer::new(rpc.clone()))
        .add_service(AccountsServer::new(rpc.clone()))
        .add_service(SessionsServer::new(rpc.clone()))
        .add_service(AuditServer::new(rpc))
}

/// Translates and calls the same verbs as the routes.
#[derive(Clone)]
struct Rpc(Identity);

impl Rpc {
    /// The right of whoever asks, by what access says of a person's roles.
    async fn right<P: Permission>(&self, asker: Asker, tenant: TenantId) -> Result<TenantRight<P>, Refusal> {
        asker
            .may(tenant, async |tenant, user| {
                Ok(self.0.permissions().permissions_of(tenant, user).await?)
            })
            .await
    }
}
