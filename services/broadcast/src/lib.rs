//! Broadcast: one message to many. The recipients, templates and campaigns of a tenant.
//!
//! Owns       schema `broadcast`: recipients, imports, import_errors, import_numbers, templates, campaigns, plan; the folder
//!            of uploads
//! Offers     HTTP `/api/v1/broadcast/{recipients,imports,templates,campaigns,estimate,logs}`, gRPC `plaza.broadcast.v1`
//!            (`Broadcast`, `Templates`, `Recipients`, `Imports`, `Audit`)
//! Publishes  `broadcast.send`, `broadcast.campaign.state_changed`, `broadcast.import.completed`
//! Consumes   `notification.source.settled`, `notification.source.tripped`, `broadcast.sender.degraded`,
//!            `broadcast.optout.recorded`, `broadcast.template.state_changed`
//! Needs      `Notification` (through `contracts`): suppression, senders, counts, messages, holding and calling off;
//!            `Access`: what a person may do for whom another service calls
//!
//! Read `campaigns/send.rs` and `campaigns/planner.rs` first, then `imports/importer.rs`: both workers have one shape.
//! A worker leases a row, reads a batch, and writes what the batch makes together with how far it got, in one
//! transaction; so a crash at any point is taken up exactly where the last transaction ended.

mod audit;
pub mod campaigns;
mod config;
pub mod consumers;
#[doc(hidden)]
pub mod fuzzing;
pub mod imports;
mod invalid;
mod listing;
mod logs;
mod notification;
pub mod recipients;
mod repeatable;
mod rotation;
mod routes;
mod rpc;
mod slots;
pub mod templates;
mod text_enum;
mod work;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use plaza_contracts::access::Permissions;
use plaza_contracts::services::{ACCESS, BROADCAST, NOTIFICATION};
use plaza_database::{Database, Schema, migrations};
use plaza_kernel::Clock;
use plaza_messaging::Subscriptions;
use plaza_rpc::Directory;
use plaza_schedule::Schedules;
use plaza_web::{PermissionSource, ServiceApi};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::BroadcastConfig;
pub use invalid::Invalid;
pub use repeatable::Repeatable;

use campaigns::progress::Watched;
use notification::Notification;
use recipients::store::Staging;
use rotation::Rotations;
use slots::Slots;

/// How many previews and estimates a tenant may ask for at once.
const FORECASTS: usize = 2;
/// How many reports a tenant may ask for at once.
const REPORTS: usize = 2;
/// How many streams of progress a tenant may have open at once.
const WATCHERS: usize = 50;

plaza_kernel::typed_id!(
    /// Somebody a tenant may write to.
    RecipientId
);
plaza_kernel::typed_id!(
    /// An uploaded file of recipients.
    ImportId
);
plaza_kernel::typed_id!(
    /// A template of messages.
    TemplateId
);

/// The schema of this service.
pub fn schema() -> Schema {
    let own = migrations![
        "V20261120100000__broadcast",
        "V20261121021233__fair_turns_and_traces",
        "V20261122140000__verbs",
        "V20261122140100__campaigns_moving",
        "V20261122140200__campaigns_scheduled",
        "V20261122140300__campaigns_of_template",
        "V20261122150000__imports",
    ];
    Schema::new(BROADCAST, own)
        .with(plaza_audit::migrations())
        .with(plaza_messaging::migrations())
        .with(plaza_schedule::migrations())
        .with(plaza_once::migrations())
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Broadcast {
    config: Arc<BroadcastConfig>,
    database: Database,
    notification: Notification,
    /// Of the people whom other services call for.
    permissions: Permissions,
    rotations: Arc<Rotations>,
    forecasts: Arc<Slots>,
    reports: Arc<Slots>,
    watchers: Arc<Slots>,
    watched: Arc<Watched>,
    /// How rows of imports get to the database, once somebody has asked.
    staging: Arc<OnceCell<Staging>>,
    clock: Clock,
}

impl Broadcast {
    /// The service on its database.
    pub fn new(config: BroadcastConfig, database: Database, directory: &Directory, clock: Clock) -> Self {
        let notification = Notification::new(directory.transport(NOTIFICATION));
        let permissions = Permissions::new(directory.transport(ACCESS), clock.clone());
        Self {
            config: Arc::new(config),
            database,
            notification,
            permissions,
            rotations: Arc::default(),
            forecasts: Slots::new(FORECASTS),
            reports: Slots::new(REPORTS),
            watchers: Slots::new(WATCHERS),
            watched: Arc::default(),
            staging: Arc::default(),
            clock,
        }
    }

    /// Now, as precise as the database keeps it: an answer shows what a later one will show.
    fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(6)
    }

    /// Its HTTP API.
    pub fn http(&self, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
        routes::routes(self.clone(), permissions)
    }

    /// Its gRPC API.
    pub fn grpc(&self) -> tonic::service::Routes {
        rpc::routes(self.clone())
    }

    /// What it consumes.
    pub fn subscriptions(&self) -> Subscriptions {
        consumers::subscriptions(self)
    }

    /// What it does by the calendar.
    pub fn schedules(&self) -> Schedules {
        plaza_once::with_tidying(imports::sweep::schedules(self), &self.database)
    }

    /// Starts its background work: importing, planning, telling notification what was decided, beginning what was scheduled,
    /// reconciling. It ends after `stop`, once what it holds is committed.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        work::start(self, tasks, stop);
    }
}
