//! All SQL about campaigns.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_database::{Database, DatabaseError, SystemTx, TenantTx, statements};
use plaza_kernel::TenantId;
use postgres_types::Json;
use uuid::Uuid;

use super::{Audience, CampaignState, Class, StoredCampaign};
use crate::listing::Window;
use crate::templates::Frozen;
use crate::work::{Claimed, in_milliseconds};
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

    static TRACE: (CampaignId, Option<String>) => () =
        "UPDATE broadcast.campaigns SET traceparent = $2 WHERE id = $1";

    static RENEW: (CampaignId, Uuid, Option<i64>) => () =
        "UPDATE broadcast.campaigns SET lease_until = now() + $3::bigint * interval '1 millisecond'
          WHERE id = $1 AND lease_token = $2";

    static FAILED: (CampaignId, Uuid) => (i32,) =
        "UPDATE broadcast.campaigns SET attempts = attempts + 1
          WHERE id = $1 AND lease_token = $2 AND state = 'planning'
         RETURNING attempts";

    // The next tenant after this one that has a campaign to be planned, and of its campaigns the one that waits longest.
    // Jumps from tenant to tenant along `campaigns_planning_of_tenant`, and no further than it has to. Leases are measured
    // by the database's clock alone.
    system static CLAIM: (Uuid, i64, Uuid) => Claimed<CampaignId> =
        "WITH RECURSIVE waiting AS (
             (SELECT c.tenant_id FROM broadcast.campaigns AS c
               WHERE c.state = 'planning' AND c.tenant_id > $3
               ORDER BY c.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT c.tenant_id FROM broadcast.campaigns AS c
                      WHERE c.state = 'planning' AND c.tenant_id > w.tenant_id
                      ORDER BY c.tenant_id LIMIT 1)
               FROM waiting AS w WHERE w.tenant_id IS NOT NULL
         ), next AS MATERIALIZED (
             SELECT oldest.tenant_id, oldest.id
               FROM waiting AS w
              CROSS JOIN LATERAL (
                    SELECT c.tenant_id, c.id FROM broadcast.campaigns AS c
                     WHERE c.tenant_id = w.tenant_id AND c.state = 'planning'
                       AND (c.lease_until IS NULL OR c.lease_until < now())
                     ORDER BY c.updated_at, c.id
                     LIMIT 1 FOR UPDATE SKIP LOCKED) AS oldest
              LIMIT 1
         )
         UPDATE broadcast.campaigns AS c
            SET lease_token = $1, lease_until = now() + $2::bigint * interval '1 millisecond', updated_at = now()
           FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.id
         RETURNING c.tenant_id, c.id, c.traceparent";

    // Marked as looked at before they are: two processes share the work, and one that dies only loses a round. A few of
    // each tenant after this one.
    system static UNSETTLED: (i64, Uuid) => (TenantId, CampaignId) =
        "WITH RECURSIVE waiting AS (
             (SELECT c.tenant_id FROM broadcast.campaigns AS c
               WHERE c.state = 'running' AND c.tenant_id > $2
               ORDER BY c.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT c.tenant_id FROM broadcast.campaigns AS c
                      WHERE c.state = 'running' AND c.tenant_id > w.tenant_id
                      ORDER BY c.tenant_id LIMIT 1)
               FROM waiting AS w WHERE w.tenant_id IS NOT NULL
         ), next AS MATERIALIZED (
             SELECT longest.tenant_id, longest.id
               FROM waiting AS w
              CROSS JOIN LATERAL (
                    SELECT c.tenant_id, c.id FROM broadcast.campaigns AS c
                     WHERE c.tenant_id = w.tenant_id AND c.state = 'running'
                       AND (c.checked_at IS NULL OR c.checked_at <= now() - $1::bigint * interval '1 millisecond')
                     ORDER BY c.checked_at NULLS FIRST, c.id
                     LIMIT 2 FOR UPDATE SKIP LOCKED) AS longest
              LIMIT 20
         )
         UPDATE broadcast.campaigns AS c
            SET checked_at = now()
           FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.id
         RETURNING c.tenant_id, c.id";
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

/// Keeps the trace that sending was asked for in.
pub(crate) async fn trace(
    tx: &TenantTx,
    id: CampaignId,
    traceparent: Option<String>,
) -> Result<(), DatabaseError> {
    tx.execute(&TRACE, (id, traceparent)).await.map(|_| ())
}

/// Keeps the lease for so long, or gives it back.
pub(crate) async fn renew(
    tx: &TenantTx,
    id: CampaignId,
    token: Uuid,
    lease: Option<Duration>,
) -> Result<(), DatabaseError> {
    let lease = lease.map(in_milliseconds);
    tx.execute(&RENEW, (id, token, lease)).await.map(|_| ())
}

/// Counts a failure: how many there were since the campaign last got on. None when somebody else has the lease.
pub(crate) async fn failed(tx: &TenantTx, id: CampaignId, token: Uuid) -> Result<Option<i32>, DatabaseError> {
    let counted = tx.optional(&FAILED, (id, token)).await?;
    Ok(counted.map(|(failures,)| failures))
}

/// Leases a campaign that waits to be planned, or whose holder has not been heard of: of the next tenant after this one.
pub(crate) async fn claim(
    tx: &SystemTx,
    token: Uuid,
    lease: Duration,
    after: Uuid,
) -> Result<Option<Claimed<CampaignId>>, DatabaseError> {
    tx.optional(&CLAIM, (token, in_milliseconds(lease), after)).await
}

/// Running campaigns that have not been looked at for so long, of the tenants after this one.
pub(crate) async fn unsettled(
    tx: &SystemTx,
    pause: Duration,
    after: Uuid,
) -> Result<Vec<(TenantId, CampaignId)>, DatabaseError> {
    tx.all(&UNSETTLED, (in_milliseconds(pause), after)).await
}
