//! The lease on a sender: one process works it at a time, so that its rate and its messages in flight are bounded.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::working::Key;

row! {
    /// What a worker needs to know of its sender.
    pub(super) struct Worked {
        pub(super) account_id: String,
        pub(super) access_token: String,
        pub(super) rate: i32,
    }
}

statements! {
    system static DUE_SENDERS: (DateTime<Utc>,) => (TenantId, SenderId) =
        "SELECT s.tenant_id, s.id FROM notification.senders s
          WHERE s.status = 'active'
            AND EXISTS (SELECT FROM notification.messages m
                         WHERE m.tenant_id = s.tenant_id AND m.sender_id = s.id
                           AND m.state = 'queued' AND m.due_at <= $1)
          ORDER BY random() LIMIT 1000";
    static TAKE: (TenantId, SenderId, Uuid, DateTime<Utc>, DateTime<Utc>) => () =
        "INSERT INTO notification.sender_leases AS l (tenant_id, sender_id, holder, until) VALUES ($1, $2, $3, $5)
         ON CONFLICT (tenant_id, sender_id) DO UPDATE SET holder = $3, until = $5
          WHERE l.until < $4 OR l.holder = $3";
    static GIVE_BACK: (TenantId, SenderId, Uuid) => () =
        "DELETE FROM notification.sender_leases WHERE tenant_id = $1 AND sender_id = $2 AND holder = $3";
    static WORKED: (TenantId, SenderId) => Worked =
        "SELECT account_id, access_token, rate FROM notification.senders
          WHERE tenant_id = $1 AND id = $2 AND status = 'active'";
}

/// Senders that have something to send now, in no order, so that none waits behind the others.
pub(super) async fn due_senders(database: &Database, now: DateTime<Utc>) -> Result<Vec<Key>, DatabaseError> {
    let tx = database.begin_system();
    let found = tx.all(&DUE_SENDERS, (now,)).await?;
    tx.commit().await?;
    Ok(found)
}

/// Takes the lease and reads the sender. None when another process has it, or the sender is stopped: then nothing is
/// to be committed.
pub(super) async fn take(
    tx: &TenantTx,
    sender: SenderId,
    holder: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Worked>, DatabaseError> {
    let (taken, worked) = tokio::join!(
        tx.execute(&TAKE, (tx.tenant(), sender, holder, now, until)),
        tx.optional(&WORKED, (tx.tenant(), sender)),
    );
    let taken = taken? == 1;
    Ok(worked?.filter(|_| taken))
}

/// Prolongs the lease and commits; says whether it was still there to be prolonged.
pub(super) async fn prolong(
    tx: TenantTx,
    sender: SenderId,
    holder: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let params = (tx.tenant(), sender, holder, now, until);
    Ok(tx.execute_and_commit(&TAKE, params).await? == 1)
}

/// Gives the lease back and commits.
pub(super) async fn give_back(tx: TenantTx, sender: SenderId, holder: Uuid) -> Result<(), DatabaseError> {
    let params = (tx.tenant(), sender, holder);
    tx.execute_and_commit(&GIVE_BACK, params).await.map(drop)
}
