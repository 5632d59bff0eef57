//! Ends messages whose time is over while they wait, whoever works their sender, or nobody.

use std::collections::{BTreeMap, BTreeSet};

use plaza_database::{DatabaseError, SystemTx, statements};
use plaza_kernel::TenantId;

use super::settled;
use crate::Notification;

/// The most messages that are ended at a time.
const BATCH: i64 = 1_000;

statements! {
    // The longest over first. Whoever claims passes over what is locked here, and the other way round.
    system static EXPIRE: (i64,) => (TenantId, String) =
        "WITH over AS MATERIALIZED (
             SELECT tenant_id, id FROM notification.messages
              WHERE state = 'queued' AND expires_at IS NOT NULL AND expires_at <= now()
              ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE notification.messages m
            SET state = 'expired', error_code = 'EXPIRED', error_text = NULL, updated_at = now()
           FROM over WHERE m.tenant_id = over.tenant_id AND m.id = over.id
         RETURNING m.tenant_id, m.source";
}

/// Ends some of them; whether there may be more.
pub(super) async fn expire(notification: &Notification) -> Result<bool, DatabaseError> {
    let tx = notification.inner.database.begin_system();
    let over = ended(&tx).await?;
    tx.commit().await?;
    let full = i64::try_from(over.len()).is_ok_and(|count| count >= BATCH);
    let mut sources: BTreeMap<TenantId, BTreeSet<String>> = BTreeMap::new();
    for (tenant, source) in over {
        sources.entry(tenant).or_default().insert(source);
    }
    for (tenant, sources) in sources {
        settled::announce(notification, tenant, &sources).await?;
    }
    Ok(full)
}

async fn ended(tx: &SystemTx) -> Result<Vec<(TenantId, String)>, DatabaseError> {
    tx.all(&EXPIRE, (BATCH,)).await
}
