//! All SQL that takes up work on campaigns: planning them, looking whether they are over, telling notification what was
//! decided, and beginning them at their time. Leases are measured by the database's clock alone.
//!
//! Each claim finds the next tenant after the last one that has such work, and of its campaigns the one that waits longest.
//! It jumps from tenant to tenant along an index of its own, and no further than it has to.

use std::time::Duration;

use plaza_contracts::ids::CampaignId;
use plaza_database::{DatabaseError, SystemTx, TenantTx, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::StoredCampaign;
use super::store::campaigns;
use crate::Broadcast;
use crate::rotation::Rotation;
use crate::work::{self, Claimed, Fault, Lease, in_milliseconds};

statements! {
    static LOCK_LEASED: (CampaignId, Uuid) => StoredCampaign =
        campaigns!("WHERE id = $1 AND lease_token = $2 AND state = 'planning' FOR UPDATE");

    static RENEW: (CampaignId, Uuid, Option<i64>) => () =
        "UPDATE broadcast.campaigns SET lease_until = now() + $3::bigint * interval '1 millisecond'
          WHERE id = $1 AND lease_token = $2";

    static FAILED: (CampaignId, Uuid) => (i32,) =
        "UPDATE broadcast.campaigns SET attempts = attempts + 1
          WHERE id = $1 AND lease_token = $2 AND state = 'planning'
         RETURNING attempts";

    static FREE: (CampaignId,) => () =
        "UPDATE broadcast.campaigns SET lease_token = NULL, lease_until = NULL WHERE id = $1";

    static MOVE: (CampaignId, Uuid, i64) => () =
        "UPDATE broadcast.campaigns
            SET moving_token = $2, moving_until = now() + $3::bigint * interval '1 millisecond'
          WHERE id = $1 AND (moving_until IS NULL OR moving_until <= now())";

    static LOCK_MOVING: (CampaignId, Uuid) => StoredCampaign =
        campaigns!("WHERE id = $1 AND moving_token = $2 FOR UPDATE");

    static MOVED: (CampaignId, Uuid) => () =
        "UPDATE broadcast.campaigns SET moving_until = NULL WHERE id = $1 AND moving_token = $2";

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

    // Of this the campaign says itself what notification is to be told.
    system static CLAIM_MOVE: (Uuid, i64, Uuid) => Claimed<CampaignId> =
        "WITH RECURSIVE waiting AS (
             (SELECT c.tenant_id FROM broadcast.campaigns AS c
               WHERE c.state IN ('pausing', 'resuming', 'cancelling') AND c.tenant_id > $3
               ORDER BY c.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT c.tenant_id FROM broadcast.campaigns AS c
                      WHERE c.state IN ('pausing', 'resuming', 'cancelling') AND c.tenant_id > w.tenant_id
                      ORDER BY c.tenant_id LIMIT 1)
               FROM waiting AS w WHERE w.tenant_id IS NOT NULL
         ), next AS MATERIALIZED (
             SELECT oldest.tenant_id, oldest.id
               FROM waiting AS w
              CROSS JOIN LATERAL (
                    SELECT c.tenant_id, c.id FROM broadcast.campaigns AS c
                     WHERE c.tenant_id = w.tenant_id AND c.state IN ('pausing', 'resuming', 'cancelling')
                       AND (c.moving_until IS NULL OR c.moving_until <= now())
                     ORDER BY c.updated_at, c.id
                     LIMIT 1 FOR UPDATE SKIP LOCKED) AS oldest
              LIMIT 1
         )
         UPDATE broadcast.campaigns AS c
            SET moving_token = $1, moving_until = now() + $2::bigint * interval '1 millisecond'
           FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.id
         RETURNING c.tenant_id, c.id, c.traceparent";

    system static CLAIM_DUE: (Uuid, i64, Uuid) => Claimed<CampaignId> =
        "WITH RECURSIVE waiting AS (
             (SELECT c.tenant_id FROM broadcast.campaigns AS c
               WHERE c.state = 'scheduled' AND c.tenant_id > $3
               ORDER BY c.tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT c.tenant_id FROM broadcast.campaigns AS c
                      WHERE c.state = 'scheduled' AND c.tenant_id > w.tenant_id
                      ORDER BY c.tenant_id LIMIT 1)
               FROM waiting AS w WHERE w.tenant_id IS NOT NULL
         ), next AS MATERIALIZED (
             SELECT oldest.tenant_id, oldest.id
               FROM waiting AS w
              CROSS JOIN LATERAL (
                    SELECT c.tenant_id, c.id FROM broadcast.campaigns AS c
                     WHERE c.tenant_id = w.tenant_id AND c.state = 'scheduled' AND c.schedule_at <= now()
                       AND (c.moving_until IS NULL OR c.moving_until <= now())
                     ORDER BY c.schedule_at, c.id
                     LIMIT 1 FOR UPDATE SKIP LOCKED) AS oldest
              LIMIT 1
         )
         UPDATE broadcast.campaigns AS c
            SET moving_token = $1, moving_until = now() + $2::bigint * interval '1 millisecond'
           FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.id
         RETURNING c.tenant_id, c.id, c.traceparent";

    // Marked as looked at before they are: two processes share the work, and one that dies only loses a round. A few of
    // each tenant after this one. None of which notification is being told something: its counts change meanwhile.
    system static UNSETTLED: (i64, Uuid) => (TenantId, CampaignId, i64) =
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
                       AND (c.moving_until IS NULL OR c.moving_until <= now())
                     ORDER BY c.checked_at NULLS FIRST, c.id
                     LIMIT 2 FOR UPDATE SKIP LOCKED) AS longest
              LIMIT 20
         )
         UPDATE broadcast.campaigns AS c
            SET checked_at = now()
           FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.id
         RETURNING c.tenant_id, c.id, c.version";

    static LOOK_SOON: (CampaignId,) => () =
        "UPDATE broadcast.campaigns SET checked_at = NULL WHERE id = $1 AND state = 'running'";

    // Those of which somebody said that they are over, and those that have just begun: before all others.
    system static UNSEEN: () => (TenantId, CampaignId, i64) =
        "WITH next AS MATERIALIZED (
             SELECT c.tenant_id, c.id FROM broadcast.campaigns AS c
              WHERE c.state = 'running' AND c.checked_at IS NULL
                AND (c.moving_until IS NULL OR c.moving_until <= now())
              LIMIT 20 FOR UPDATE SKIP LOCKED
         )
         UPDATE broadcast.campaigns AS c
            SET checked_at = now()
           FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.id
         RETURNING c.tenant_id, c.id, c.version";
}

/// What is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Deciding who gets a message.
    Plan,
    /// Telling notification what was decided.
    Move,
    /// Beginning at its time.
    Begin,
}

impl Broadcast {
    /// Takes up the next campaign that waits for this. At the end of a round over the tenants the next one begins.
    pub(super) async fn take_up(
        &self,
        task: Task,
        lease: Duration,
    ) -> Result<Option<Lease<CampaignId>>, Fault> {
        let (token, round) = (self.clock.uuid(), self.round(task));
        let after = round.after();
        let tx = self.database.begin_system();
        let mut claimed = claim(&tx, task, token, lease, after).await?;
        if claimed.is_none() && !after.is_nil() {
            claimed = claim(&tx, task, token, lease, Uuid::nil()).await?;
        }
        tx.commit().await?;
        let leased = claimed.map(|claimed| Lease::of(claimed, token));
        round.had(leased.map(|lease| lease.tenant));
        Ok(leased)
    }

    fn round(&self, task: Task) -> &Rotation {
        match task {
            Task::Plan => &self.rotations.planning,
            Task::Move => &self.rotations.moving,
            Task::Begin => &self.rotations.beginning,
        }
    }
}

/// Leases a campaign that waits for this, or whose holder has not been heard of: of the next tenant after this one.
async fn claim(
    tx: &SystemTx,
    task: Task,
    token: Uuid,
    lease: Duration,
    after: Uuid,
) -> Result<Option<Claimed<CampaignId>>, DatabaseError> {
    let statement = match task {
        Task::Plan => &CLAIM,
        Task::Move => &CLAIM_MOVE,
        Task::Begin => &CLAIM_DUE,
    };
    tx.optional(statement, (token, in_milliseconds(lease), after))
        .await
}

/// The campaign that is being planned, held until the transaction ends; none when somebody else has the lease.
pub(crate) async fn lock_leased(
    tx: &TenantTx,
    id: CampaignId,
    token: Uuid,
) -> Result<Option<StoredCampaign>, DatabaseError> {
    tx.optional(&LOCK_LEASED, (id, token)).await
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

/// Takes the lease from whoever planned it, so that somebody takes it up at once.
pub(crate) async fn free(tx: &TenantTx, id: CampaignId) -> Result<(), DatabaseError> {
    tx.execute(&FREE, (id,)).await.map(|_| ())
}

/// Counts a failure: how many there were since the campaign last got on. None when somebody else has the lease.
pub(crate) async fn failed(tx: &TenantTx, id: CampaignId, token: Uuid) -> Result<Option<i32>, DatabaseError> {
    let counted = tx.optional(&FAILED, (id, token)).await?;
    Ok(counted.map(|(failures,)| failures))
}

/// Begins to tell notification something about it; false when somebody is at it.
pub(crate) async fn begin_move(
    tx: &TenantTx,
    id: CampaignId,
    token: Uuid,
    lease: Duration,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&MOVE, (id, token, in_milliseconds(lease))).await? > 0)
}

/// The campaign of which notification was told something, held until the transaction ends; none when somebody else is at it.
pub(crate) async fn lock_moving(
    tx: &TenantTx,
    id: CampaignId,
    token: Uuid,
) -> Result<Option<StoredCampaign>, DatabaseError> {
    tx.optional(&LOCK_MOVING, (id, token)).await
}

/// Lets others tell the next thing.
pub(crate) async fn end_move(tx: &TenantTx, id: CampaignId, token: Uuid) -> Result<(), DatabaseError> {
    tx.execute(&MOVED, (id, token)).await.map(|_| ())
}

/// Has it looked at soon whether a campaign is over.
pub(crate) async fn look_soon(tx: &TenantTx, id: CampaignId) -> Result<(), DatabaseError> {
    if tx.execute(&LOOK_SOON, (id,)).await? > 0 {
        tx.signal_on_commit(work::RECONCILE);
    }
    Ok(())
}

/// A running campaign that is to be looked at, and its version at that time.
pub(crate) type Running = (TenantId, CampaignId, i64);

/// Running campaigns that nobody has looked at yet, or that are to be looked at soon.
pub(crate) async fn unseen(tx: &SystemTx) -> Result<Vec<Running>, DatabaseError> {
    tx.all(&UNSEEN, ()).await
}

/// Running campaigns that have not been looked at for so long, of the tenants after this one.
pub(crate) async fn unsettled(
    tx: &SystemTx,
    pause: Duration,
    after: Uuid,
) -> Result<Vec<Running>, DatabaseError> {
    tx.all(&UNSETTLED, (in_milliseconds(pause), after)).await
}
