//! Notification: everything that Plaza sends to people. The only service that does.
//!
//! Owns       schema `notification`: senders and their secrets, messages, receipts, suppressions
//! Offers     HTTP `/api/v1/notifications`, `/webhooks/meta`, gRPC `plaza.notification.v1` (`Notification`, `Senders`,
//!            `Suppressions`)
//! Publishes  `notification.source.settled`
//! Consumes   `broadcast.send` (messages to be sent), `tenant.created` (a development sender)
//! Needs      the providers, over HTTP; `access` (what a person may do for whom another service calls)
//!
//! Read `messages.rs` first (the ladder of states), then `dispatch.rs` (how a message leaves).

mod config;
mod consumers;
mod dispatch;
mod messages;
mod providers;
mod receipts;
mod routes;
mod rpc;
mod senders;
mod suppressions;

use std::sync::Arc;

use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, NOTIFICATION};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Schema, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_rpc::Directory;
use plaza_web::{PermissionSource, ServiceApi};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{NotificationConfig, WhatsAppConfig};

use dispatch::Turns;
use providers::WhatsApp;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Notification {
    inner: Arc<Inner>,
}

struct Inner {
    config: NotificationConfig,
    database: Database,
    clock: Clock,
    keys: KeyRing,
    /// Of the people whom other services call for.
    permissions: Permissions,
    whatsapp: WhatsApp,
    /// At claiming and writing down.
    turns: Turns,
    /// At counting what became of a source: one at a time, because it takes long.
    counting: Turns,
    /// For callbacks that are read and not known to be Meta's yet.
    callback_places: Semaphore,
}

/// The service cannot be composed of these settings.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client of a provider cannot be made")]
pub struct NotComposed(#[from] reqwest::Error);

/// The schema and its migrations.
pub fn schema() -> Schema {
    let own = migrations![
        "V20261120120000__messages",
        "V20261121021233__fair_turns_and_traces",
        "V20261121021234__doubt_of_a_tenant",
    ];
    Schema::new(NOTIFICATION, own)
        .with(plaza_messaging::migrations())
        .with(plaza_schedule::migrations())
}

impl Notification {
    /// Composes the service; connects to nothing yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(
        mut config: NotificationConfig,
        database: Database,
        directory: &Directory,
        clock: Clock,
        keys: KeyRing,
    ) -> Result<Self, NotComposed> {
        config.whatsapp.forget_empty_secrets();
        let whatsapp = WhatsApp::new(&config)?;
        let permissions = Permissions::new(directory.transport(ACCESS), clock.clone());
        let turns = Turns::new(config.claims_at_once());
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                database,
                clock,
                keys,
                permissions,
                whatsapp,
                turns,
                counting: Turns::new(1),
                callback_places: Semaphore::new(receipts::http::AT_ONCE),
            }),
        })
    }

    /// Its HTTP API.
    pub fn http(&self, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
        routes::api().build(self.clone(), permissions)
    }

    /// Its gRPC API.
    pub fn grpc(&self) -> tonic::service::Routes {
        rpc::routes(self.clone())
    }

    /// What it reacts to.
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions::new()
            .with(consumers::QueueMessages {
                notification: self.clone(),
            })
            .with(consumers::AddDevelopmentSender {
                notification: self.clone(),
            })
    }

    /// Sends what is due until `stop` is cancelled; what is with a provider then is waited for and written down.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        dispatch::start(self.clone(), tasks, stop);
    }
}
