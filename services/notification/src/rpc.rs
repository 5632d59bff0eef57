//! The gRPC API of notification: what other services ask it to send and to tell, and what its routes offer to people.

mod audit;
mod listing;
mod mails;
mod messages;
mod queueing;
mod senders;
mod sources;
mod suppressions;

use plaza_contracts::incoming::{Asker, Refusal, TenantRight};
use plaza_contracts::proto::notification::audit_server::AuditServer;
use plaza_contracts::proto::notification::mails_server::MailsServer;
use plaza_contracts::proto::notification::notification_server::NotificationServer;
use plaza_contracts::proto::notification::senders_server::SendersServer;
use plaza_contracts::proto::notification::suppressions_server::SuppressionsServer;
use plaza_kernel::{Failure, FieldError, Kind, Permission};
use tonic::service::Routes;

use crate::Notification;

pub(crate) fn routes(notification: Notification) -> Routes {
    let rpc = Rpc(notification);
    Routes::new(NotificationServer::new(rpc.clone()))
        .add_service(SendersServer::new(rpc.clone()))
        .add_service(SuppressionsServer::new(rpc.clone()))
        .add_service(MailsServer::new(rpc.clone()))
        .add_service(AuditServer::new(rpc))
}

/// Translates and calls the same verbs and stores as the routes.
#[derive(Clone)]
struct Rpc(Notification);

impl Rpc {
    /// The right of whoever asks in the tenant that is named, by what access says of a person's roles.
    async fn right<P: Permission>(&self, asker: Asker, tenant: &str) -> Result<TenantRight<P>, Refusal> {
        let tenant = asker.tenant(tenant)?;
        asker
            .may(tenant, async |tenant, user| {
                Ok(self.0.inner.permissions.permissions_of(tenant, user).await?)
            })
            .await
    }
}

/// The value of this field is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not acceptable")]
struct Unacceptable(&'static str);

impl Failure for Unacceptable {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_REQUEST"
    }

    fn fields(&self) -> Vec<FieldError> {
        vec![FieldError::new(
            format!("/{}", self.0),
            "INVALID_VALUE",
            self.to_string(),
        )]
    }
}
