//! The gRPC API of broadcast: what its routes offer, for whoever asks through another service.

mod audit;
mod campaigns;
mod imports;
mod recipients;
mod templates;

use plaza_contracts::incoming::{Asker, Refusal};
use plaza_contracts::proto::broadcast::audit_server::AuditServer;
use plaza_contracts::proto::broadcast::broadcast_server::BroadcastServer;
use plaza_contracts::proto::broadcast::imports_server::ImportsServer;
use plaza_contracts::proto::broadcast::recipients_server::RecipientsServer;
use plaza_contracts::proto::broadcast::templates_server::TemplatesServer;
use plaza_kernel::{Answer, Failure, Kind, Permission, TenantId};
use tonic::service::Routes;

use crate::Broadcast;

pub(crate) fn routes(broadcast: Broadcast) -> Routes {
    let rpc = Rpc(broadcast);
    Routes::new(BroadcastServer::new(rpc.clone()))
        .add_service(TemplatesServer::new(rpc.clone()))
        .add_service(RecipientsServer::new(rpc.clone()))
        .add_service(ImportsServer::new(rpc.clone()))
        .add_service(AuditServer::new(rpc))
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

/// What was done for a call. Calls have no key that they could be repeated under.
fn done<T>(answer: Answer<T>) -> Result<T, Repeated> {
    match answer {
        Answer::New(done) => Ok(done),
        Answer::Replayed { .. } => Err(Repeated),
    }
}

/// A call was answered as one that was repeated: a mistake in our sources.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a call without a key was answered as a repeated one")]
struct Repeated;

impl Failure for Repeated {
    fn kind(&self) -> Kind {
        Kind::Internal
    }

    fn code(&self) -> &'static str {
        "INTERNAL"
    }
}

/// A text that was given: empty is none.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
