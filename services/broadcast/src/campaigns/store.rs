//! All SQL about campaigns, but for taking up work on them, which is in `campaigns/claims.rs`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use postgres_types::Json;
use uuid::Uuid;

use super::{Audience, CampaignState, Channel, Class, StoredCampaign};
use crate::listing::Window;
use crate::templates::Frozen;
use crate::{ImportId, RecipientId, TemplateId};

type New = (
    TenantId,
    CampaignId,
    String,
    TemplateId,
    Option<SenderId>,
    Channel,
    Class,
    Json<Audience>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
);
type Save = (
    CampaignId,
    CampaignState,
    Option<String>,
    Option<CampaignState>,
    Option<SenderId>,
    Option<Json<Frozen>>,
    Option<RecipientId>,
    Option<RecipientId>,
    i32,
    Json<BTreeMap<String, u64>>,
    i64,
    DateTime<Utc>,
);
type Change = (
    CampaignId,
    String,
    TemplateId,
    Option<SenderId>,
    Channel,
    Class,
    Json<Audience>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

/// A campaign's columns, and what follows them. Leases are measured by the database's clock alone.
macro_rules! campaigns {
    ($($rest:literal),*) => {
        concat!(
            "SELECT id, name, template_id, sender_id, channel, class, audience, schedule_at, expires_at, state,
                    state_reason, resumes, coalesce(moving_until > now(), false) AS moving, planned, frozen, snapshot,
                    cursor, shards, version, created_at, updated_at
               FROM broadcast.campaigns ",
            $($rest),*
        )
    };
}
pub(super) use campaigns;

statements! {
    static LIST: (Uuid, i64, i64) => StoredCampaign =
        campaigns!("WHERE id < $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT $2 OFFSET $3");

    static GET: (CampaignId,) => StoredCampaign =
        campaigns!("WHERE id = $1 AND deleted_at IS NULL");

    static LOCK: (CampaignId,) => StoredCampaign =
        campaigns!("WHERE id = $1 AND deleted_at IS NULL FOR UPDATE");

    static INSERT: New => () =
        "INSERT INTO broadcast.campaigns
             (tenant_id, id, name, template_id, sender_id, channel, class, audience, schedule_at, expires_at, state,
              created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'draft', $11, $11)";

    static SAVE: Save => () =
        "UPDATE broadcast.campaigns
            SET state = $2, state_reason = $3, resumes = $4, sender_id = $5, frozen = $6, snapshot = $7, cursor = $8,
                shards = $9, planned = $10, version = $11, updated_at = $12, attempts = 0
          WHERE id = $1";

    static CHANGE: Change => () =
        "UPDATE broadcast.campaigns
            SET name = $2, template_id = $3, sender_id = $4, channel = $5, class = $6, audience = $7, schedule_at = $8,
                expires_at = $9
          WHERE id = $1";

    static PUT_AWAY: (CampaignId, DateTime<Utc>) => () =
        "UPDATE broadcast.campaigns SET deleted_at = $2, updated_at = $2 WHERE id = $1";

    static TRACE: (CampaignId, Option<String>) => () =
        "UPDATE broadcast.campaigns SET traceparent = $2 WHERE id = $1";

    static WAITING_FOR: (TemplateId,) => (bool,) =
        "SELECT EXISTS (SELECT FROM broadcast.campaigns
                         WHERE template_id = $1 AND state IN ('draft', 'scheduled') AND deleted_at IS NULL)";

    static OF_SENDER: (SenderId,) => (CampaignId,) =
        "SELECT id FROM broadcast.campaigns
          WHERE sender_id = $1 AND state IN ('planning', 'running', 'resuming') AND deleted_at IS NULL
          ORDER BY id";

    static KNOWS_IMPORT: (ImportId,) => (bool,) =
        "SELECT EXISTS (SELECT FROM broadcast.imports WHERE id = $1)";
}

/// Campaigns, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    window: Window,
) -> Result<Vec<StoredCampaign>, DatabaseError> {
    let params = (window.below(), window.limit.and_one(), window.skip);
    database.read(tenant, &LIST, params).await
}

/// One campaign.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: CampaignId,
) -> Result<Option<StoredCampaign>, DatabaseError> {
    Ok(database.read(tenant, &GET, (id,)).await?.into_iter().next())
}

/// A new draft.
pub(crate) async fn insert(tx: &TenantTx, draft: &StoredCampaign) -> Result<(), DatabaseError> {
    let c = draft.clone();
    let params = (
        tx.tenant(),
        c.id,
        c.name,
        c.template_id,
        c.sender_id,
        c.channel,
        c.class,
        c.audience,
        c.schedule_at,
        c.expires_at,
        c.created_at,
    );
    tx.execute(&INSERT, params).await.map(|_| ())
}

/// The campaign, held until the transaction ends.
pub(crate) async fn lock(tx: &TenantTx, id: CampaignId) -> Result<Option<StoredCampaign>, DatabaseError> {
    tx.optional(&LOCK, (id,)).await
}

/// Writes how far it is, as its next version. It has to be locked.
pub(crate) async fn save(
    tx: &TenantTx,
    campaign: &mut StoredCampaign,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    campaign.version = campaign.version.saturating_add(1);
    campaign.updated_at = now;
    let c = campaign.clone();
    let params = (
        c.id,
        c.state,
        c.state_reason,
        c.resumes,
        c.sender_id,
        c.frozen,
        c.snapshot,
        c.cursor,
        c.shards,
        c.planned,
        c.version,
        c.updated_at,
    );
    tx.execute(&SAVE, params).await.map(|_| ())
}

/// Writes what it is to be; [`save`] makes a version of it.
pub(crate) async fn change(tx: &TenantTx, campaign: &StoredCampaign) -> Result<(), DatabaseError> {
    let c = campaign.clone();
    let params = (
        c.id,
        c.name,
        c.template_id,
        c.sender_id,
        c.channel,
        c.class,
        c.audience,
        c.schedule_at,
        c.expires_at,
    );
    tx.execute(&CHANGE, params).await.map(|_| ())
}

/// Takes it out of sight. Its plan and its messages stay.
pub(crate) async fn put_away(tx: &TenantTx, id: CampaignId, now: DateTime<Utc>) -> Result<(), DatabaseError> {
    tx.execute(&PUT_AWAY, (id, now)).await.map(|_| ())
}

/// Keeps the trace that sending was asked for in.
pub(crate) async fn trace(
    tx: &TenantTx,
    id: CampaignId,
    traceparent: Option<String>,
) -> Result<(), DatabaseError> {
    tx.execute(&TRACE, (id, traceparent)).await.map(|_| ())
}

/// Whether a campaign that was not sent yet has this template.
pub(crate) async fn any_waits_for(tx: &TenantTx, template: TemplateId) -> Result<bool, DatabaseError> {
    Ok(tx.one(&WAITING_FOR, (template,)).await?.0)
}

/// The campaigns under way that go out from this sender.
pub(crate) async fn under_way_from(
    tx: &TenantTx,
    sender: SenderId,
) -> Result<Vec<CampaignId>, DatabaseError> {
    let found = tx.all(&OF_SENDER, (sender,)).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Whether the tenant has this import.
pub(crate) async fn knows_import(tx: &TenantTx, id: ImportId) -> Result<bool, DatabaseError> {
    Ok(tx.one(&KNOWS_IMPORT, (id,)).await?.0)
}
