//! What broadcast writes into the audit, and what of it: states and names of things, never telephone numbers or texts.

use plaza_audit::{Action, Entry, record};
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::Clock;
use serde_json::json;

use crate::ImportId;
use crate::campaigns::StoredCampaign;
use crate::imports::{ImportCounts, ImportState, StoredImport};

/// What is told of a campaign.
const CAMPAIGN: &[&str] = &[
    "name",
    "state",
    "class",
    "template_id",
    "sender_id",
    "schedule_at",
];

pub(crate) static CAMPAIGN_CREATED: Action = Action::new("campaigns.create", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_UPDATED: Action = Action::new("campaigns.update", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_SENT: Action = Action::new("campaigns.send", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_PAUSED: Action = Action::new("campaigns.pause", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_RESUMED: Action = Action::new("campaigns.resume", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_CANCELLED: Action = Action::new("campaigns.cancel", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_RETRIED: Action = Action::new("campaigns.retry", "campaign", CAMPAIGN);
pub(crate) static CAMPAIGN_DELETED: Action = Action::new("campaigns.delete", "campaign", CAMPAIGN);

pub(crate) static TEMPLATE_CREATED: Action = Action::new("templates.create", "template", &[]);
pub(crate) static TEMPLATE_UPDATED: Action = Action::new("templates.update", "template", &[]);
pub(crate) static TEMPLATE_DELETED: Action = Action::new("templates.delete", "template", &[]);

pub(crate) static RECIPIENT_ADDED: Action = Action::new("recipients.create", "recipient", &[]);
pub(crate) static RECIPIENT_DELETED: Action = Action::new("recipients.delete", "recipient", &[]);

static IMPORT_STARTED: Action = Action::new("imports.create", "import", &["bytes", "dry_run"]);
static IMPORT_ENDED: Action = Action::new("imports.end", "import", &["state", "dry_run", "valid", "errors"]);
pub(crate) static IMPORT_CANCELLED: Action = Action::new("imports.cancel", "import", &[]);

/// Writes down that a file was taken to be imported, and how long it is.
pub(crate) async fn import_started(
    tx: &Transaction,
    clock: &Clock,
    import: ImportId,
    bytes: i64,
    dry_run: bool,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&IMPORT_STARTED, import).after(json!({"bytes": bytes, "dry_run": dry_run}));
    record(tx, clock, entry).await.map(drop)
}

/// Writes down that an import came to its end by itself, and what became of its rows.
pub(crate) async fn import_ended(
    tx: &Transaction,
    clock: &Clock,
    import: &StoredImport,
    state: ImportState,
    counts: ImportCounts,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&IMPORT_ENDED, import.id).after(json!({
        "state": state,
        "dry_run": import.dry_run,
        "valid": counts.valid,
        "errors": counts.errors(),
    }));
    record(tx, clock, entry).await.map(drop)
}

/// Writes down what was done to a campaign, and how it is now.
pub(crate) async fn campaign(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    campaign: &StoredCampaign,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(action, campaign.id).after(json!({
        "name": campaign.name,
        "state": campaign.state,
        "class": campaign.class,
        "template_id": campaign.template_id,
        "sender_id": campaign.sender_id,
        "schedule_at": campaign.schedule_at,
    }));
    record(tx, clock, entry).await.map(drop)
}
