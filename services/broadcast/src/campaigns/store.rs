//! All SQL about campaigns.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::{Database, DatabaseError, SystemTx, TenantTx, statements};
use plaza_kernel::TenantId;
use postgres_types::Json;
use uuid::Uuid;

use super::{Audience, CampaignState, Class, StoredCampaign};
use crate::listing::Window;
use crate::templates::Frozen;
use crate::{RecipientId, TemplateId};

type New = (
    TenantId,
    CampaignId,
    String,
    TemplateId,
    Option<SenderId>,
    Class,
    Json<Audience>,
    DateTime<Utc>,
);
type Save = (
    CampaignId,
    CampaignState,
    Option<SenderId>,
    Option<Json<Frozen>>,
    Option<RecipientId>,
    Option<RecipientId>,
    i32,
    Json<BTreeMap<String, u64>>,
    DateTime<Utc>,
);

statements! {
    static LIST: (Uuid, i64, i64) => StoredCampaign =
        "SELECT id, name, template_id, sender_id, class, audience, state, planned, frozen, snapshot, cursor, shards,
                created_at, updated_at
           FROM broadcast.campaigns
          WHERE id < $1
          ORDER BY id DESC
          LIMIT $2 OFFSET $3";

    static GET: (CampaignId,) => StoredCampaign =
        "SELECT id, name, template_id, sender_id, class, audience, state, planned, frozen, snapshot, cursor, shards,
                created_at, updated_at
           FROM broadcast.campaigns
          WHERE id = $1";

    static INSERT: New => () =
        "INSERT INTO broadcast.campaigns
             (tenant_id, id, name, template_id, sender_id, class, audience, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, $8)";

    static LOCK: (CampaignId,) => StoredCampaign =
        "SELECT id, name, template_id, sender_id, class, audience, state, planned, frozen, snapshot, cursor, shards,
                created_at, updated_at
           FROM broadcast.campaigns
          WHERE id = $1
            FOR UPDATE";

    static LOCK_LEASED: (CampaignId, Uuid) => StoredCampaign =
        "SELECT id, name, template_id, sender_id, class, audience, state, planned, frozen, snapshot, cursor, shards,
                created_at, updated_at
           FROM broadcast.campaigns
          WHERE id = $1 AND lease_token = $2 AND state = 'planning'
            FOR UPDATE";

    static SAVE: Save => () =
        "UPDATE broadcast.campaigns
            SET state = $2, sender_id = $3, frozen = $4, snapshot = $5, cursor = $6, shards = $7, planned = $8,
                updated_at = $9, attempts = 0
          WHERE id = $1";

    static RENEW: (CampaignId, Uuid, Option<DateTime<Utc>>) => () =
        "UPDATE broadcast.campaigns SET lease_until = $3 WHERE id = $1 AND lease_token = $2";

    static FAILED: (CampaignId, Uuid) => (i32,) =
        "UPDATE broadcast.campaigns SET attempts = attempts + 1
          WHERE id = $1 AND lease_token = $2 AND state = 'planning'
         RETURNING attempts";

    system static CLAIM: (Uuid, DateTime<Utc>, DateTime<Utc>) => (TenantId, CampaignId) =
        "UPDATE broadcast.campaigns
            SET lease_token = $1, lease_until = $2, updated_at = $3
          WHERE (tenant_id, id) = (
                SELECT waiting.tenant_id, waiting.id
                  FROM broadcast.campaigns AS waiting
                 WHERE waiting.state = 'planning' AND (waiting.lease_until IS NULL OR waiting.lease_until < $3)
                 ORDER BY waiting.updated_at, waiting.id
                 LIMIT 1
                   FOR UPDATE SKIP LOCKED)
         RETURNING tenant_id, id";

    // Marked as looked at before they are: two processes share the work, and one that dies only loses a round.
    system static UNSETTLED: (DateTime<Utc>, DateTime<Utc>) => (TenantId, CampaignId) =
        "UPDATE broadcast.campaigns
            SET checked_at = $1
          WHERE (tenant_id, id) IN (
                SELECT running.tenant_id, running.id
                  FROM broadcast.campaigns AS running
                 WHERE running.state = 'running' AND (running.checked_at IS NULL OR running.checked_at <= $2)
                 ORDER BY running.checked_at NULLS FIRST
                 LIMIT 20
                   FOR UPDATE SKIP LOCKED)
         RETURNING tenant_id, id";
}

/// Campaigns, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    window: Window,
) -> Result<Vec<StoredCampaign>, DatabaseError> {
    database
        .read(
            tenant,
            &LIST,
            (window.below(), window.limit.and_one(), window.skip),
        )
        .await
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
        c.class,
        c.audience,
        c.created_at,
    );
    tx.execute(&INSERT, params).await.map(|_| ())
}

/// The campaign, held until the transaction ends.
pub(crate) async fn lock(tx: &TenantTx, id: CampaignId) -> Result<Option<StoredCampaign>, DatabaseError> {
    tx.optional(&LOCK, (id,)).await
}

/// The campaign that is being planned, held until the transaction ends; none when somebody else has the lease.
pub(crate) async fn lock_leased(
    tx: &TenantTx,
    id: CampaignId,
    token: Uuid,
) -> Result<Option<StoredCampaign>, DatabaseError> {
    tx.optional(&LOCK_LEASED, (id, token)).await
}

/// Writes what may have changed.
pub(crate) async fn save(
    tx: &TenantTx,
    campaign: &StoredCampaign,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let c = campaign.clone();
    let params = (
        c.id,
        c.state,
        c.sender_id,
        c.frozen,
        c.snapshot,
        c.cursor,
        c.shards,
        c.planned,
        now,
    );
    tx.execute(&SAVE, params).await.map(|_| ())
}

/// Keeps the lease until then, or gives it back.
pub(crate) async fn renew(
    tx: &TenantTx,
    id: CampaignId,
    token: Uuid,
    until: Option<DateTime<Utc>>,
) -> Result<(), DatabaseError> {
    tx.execute(&RENEW, (id, token, until)).await.map(|_| ())
}

/// Counts a failure: how many there were since the campaign last got on. None when somebody else has the lease.
pub(crate) async fn failed(tx: &TenantTx, id: CampaignId, token: Uuid) -> Result<Option<i32>, DatabaseError> {
    let counted = tx.optional(&FAILED, (id, token)).await?;
    Ok(counted.map(|(failures,)| failures))
}

/// Leases a campaign that waits to be planned, or whose holder has not been heard of.
pub(crate) async fn claim(
    tx: &SystemTx,
    token: Uuid,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<(TenantId, CampaignId)>, DatabaseError> {
    tx.optional(&CLAIM, (token, until, now)).await
}

/// Running campaigns that have not been looked at since `before`.
pub(crate) async fn unsettled(
    tx: &SystemTx,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<Vec<(TenantId, CampaignId)>, DatabaseError> {
    tx.all(&UNSETTLED, (now, before)).await
}
