//! Notification: everything that Plaza sends to people. The only service that does.
//!
//! Owns       schema `notification`: senders and their secrets, messages and their sources, receipts, suppressions,
//!            conversations, mails
//! Offers     HTTP `/api/v1/notifications`, `/webhooks/meta`, `/webhooks/twilio`, `/dev/inbox`, gRPC
//!            `plaza.notification.v1` (`Notification`, `Senders`, `Suppressions`, `Mails`, `Audit`)
//! Publishes  `notification.source.settled`, `notification.source.tripped`, `broadcast.sender.degraded`,
//!            `broadcast.inbound.received`, `broadcast.optout.recorded`, `broadcast.template.state_changed`
//! Consumes   `broadcast.send` and `notification.requested` (messages to be sent), `tenant.created` (a development sender),
//!            `tenancy.config.changed` (terms of sending), `tenancy.tenant.state_changed` (whether it may send)
//! Needs      the providers, over HTTP; a mail server; `access` (what a person may do for whom another service calls)
//!
//! Read `messages.rs` first (the ladder of states), then `dispatch.rs` (how a message leaves).

mod addresses;
mod audit;
mod callback;
mod config;
mod consumers;
mod contacts;
mod conversations;
mod dispatch;
#[doc(hidden)]
pub mod fuzzing;
mod mails;
mod messages;
mod opt_out;
mod providers;
mod receipts;
mod routes;
mod rpc;
mod senders;
mod sms;
mod sources;
mod suppressions;
mod terms;
mod windows;

use std::sync::Arc;

use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, NOTIFICATION};
use plaza_crypto::KeyRing;
use plaza_database::{Database, Schema, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_rpc::Directory;
use plaza_schedule::Schedules;
use plaza_vault::Vault;
use plaza_web::{PermissionSource, ServiceApi};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{MailConfig, NotificationConfig, TwilioConfig, WhatsAppConfig};
pub use providers::UnusableMailServer;

use callback::Businesses;
use dispatch::Turns;
use providers::{Mailer, Twilio, WhatsApp};
use receipts::places::Places;
use terms::consumers::{HoldTenant, TakeSettings};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Notification {
    inner: Arc<Inner>,
}

struct Inner {
    config: NotificationConfig,
    database: Database,
    clock: Clock,
    vault: Vault,
    /// Of the people whom other services call for.
    permissions: Permissions,
    whatsapp: WhatsApp,
    twilio: Twilio,
    /// The way to the mail server, if there is one.
    mailer: Option<Mailer>,
    /// Which numbers belong to which business accounts, as far as callbacks said.
    businesses: Businesses,
    /// At claiming and writing down.
    turns: Turns,
    /// At counting what became of a source: one at a time, because it takes long.
    counting: Turns,
    /// For callbacks that are read and not known to be a provider's yet.
    callback_places: Places,
}

/// The service cannot be composed of these settings.
#[derive(Debug, thiserror::Error)]
pub enum NotComposed {
    /// No TLS is to be had.
    #[error("the HTTP client of a provider cannot be made")]
    Client(#[from] reqwest::Error),
    /// The mail server cannot be used.
    #[error(transparent)]
    Mail(#[from] UnusableMailServer),
}

/// The schema and its migrations.
pub fn schema() -> Schema {
    let own = migrations![
        "V20261120120000__messages",
        "V20261121021233__fair_turns_and_traces",
        "V20261121021234__doubt_of_a_tenant",
        "V20261122120000__mail_and_sms",
        "V20261122130000__sources_and_conversations",
        "V20261122130200__messages_with_error",
        "V20261122130300__messages_expiring",
        "V20261122160000__sealed_values",
        "V20261122170000__recent_plans",
        "V20261122180000__what_was_before",
    ];
    Schema::new(NOTIFICATION, own)
        .with(plaza_audit::migrations())
        .with(plaza_messaging::migrations())
        .with(plaza_once::migrations())
        .with(plaza_schedule::migrations())
        .with(plaza_vault::migrations())
}

impl Notification {
    /// Composes the service; connects to nothing yet.
    ///
    /// # Errors
    /// When no HTTP client can be made, or the mail server cannot be used.
    pub fn new(
        mut config: NotificationConfig,
        database: Database,
        directory: &Directory,
        clock: Clock,
        keys: KeyRing,
    ) -> Result<Self, NotComposed> {
        config.whatsapp.forget_empty_secrets();
        config.mail.forget_empty();
        let (whatsapp, twilio) = (WhatsApp::new(&config)?, Twilio::new(&config)?);
        let mailer = Mailer::new(&config.mail)?;
        let permissions = Permissions::new(directory.transport(ACCESS), clock.clone());
        let turns = Turns::new(config.claims_at_once());
        let vault = Vault::new(database.clone(), keys, clock.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                database,
                clock,
                vault,
                permissions,
                whatsapp,
                twilio,
                mailer,
                businesses: Businesses::default(),
                turns,
                counting: Turns::new(1),
                callback_places: Places::default(),
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
            .with(consumers::QueueRequested {
                notification: self.clone(),
            })
            .with(consumers::AddDevelopmentSender {
                notification: self.clone(),
            })
            .with(TakeSettings {
                notification: self.clone(),
            })
            .with(HoldTenant {
                notification: self.clone(),
            })
    }

    /// What it does by the calendar: removing what is over.
    pub fn schedules(&self) -> Schedules {
        let notification = self.clone();
        let schedules = Schedules::new().with(mails::housekeeping::TIDY, move |due| {
            Box::pin(notification.clone().tidy_mails(due))
        });
        let notification = self.clone();
        let schedules = schedules.with(contacts::housekeeping::TIDY, move |due| {
            Box::pin(notification.clone().tidy_contacts(due))
        });
        let schedules = plaza_vault::rewrapping(schedules, "notification.rewrap", &self.inner.vault);
        plaza_once::with_tidying(schedules, &self.inner.database)
    }

    /// Sends what is due until `stop` is cancelled; what is with a provider then is waited for and written down.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        mails::worker::start(self, tasks, &stop);
        dispatch::start(self.clone(), tasks, stop);
    }
}
