//! The gRPC API of broadcast: what its routes offer, for whoever asks through another service.

mod campaigns;
mod imports;
mod recipients;
mod templates;

use plaza_contracts::incoming::{Asker, Refusal};
use plaza_contracts::proto::broadcast::broadcast_server::BroadcastServer;
use plaza_contracts::proto::broadcast::imports_server::ImportsServer;
use plaza_contracts::proto::broadcast::recipients_server::RecipientsServer;
use plaza_contracts::proto::broadcast::templates_server::TemplatesServer;
use plaza_kernel::{Permission, TenantId};
use tonic::service::Routes;

use crate::Broadcast;

pub(crate) fn routes(broadcast: Broadcast) -> Routes {
    let rpc = Rpc(broadcast);
    Routes::new(BroadcastServer::new(rpc.clone()))
        .add_service(TemplatesServer::new(rpc.clone()))
        .add_service(RecipientsServer::new(rpc.clone()))
        .add_service(ImportsServer::new(rpc))
}

/// Translates and calls the same verbs and stores as the routes.
#[derive(Clone)]
struct Rpc(Broadcast);

impl Rpc {
    /// The tenant that is named, if whoever asks may do `P` in it, by what access says of a person's roles.
    async fn tenant<P: Permission>(&self, asker: Asker, tenant: &str) -> Result<TenantId, Refusal> {
        let tenant = asker.tenant(tenant)?;
        let right = asker.may::<P, Refusal, _>(tenant, async |tenant, user| {
            Ok(self.0.permissions.permissions_of(tenant, user).await?)
        });
        Ok(right.await?.tenant())
    }
}

/// A text that was given: empty is none.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
