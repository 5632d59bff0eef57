//! All SQL about what providers say of templates.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;

use super::TemplateUpdate;

statements! {
    // Told twice, it is one fact.
    static KEEP: (TenantId, SenderId, String, String, String, String, Option<String>, DateTime<Utc>) => () =
        "INSERT INTO notification.provider_templates AS t
                (tenant_id, sender_id, name, language, state, reason, provider_id, updated_at)
         VALUES ($1, $2, $3, $4, $5, nullif($6, ''), $7, $8)
         ON CONFLICT (tenant_id, sender_id, name, language) DO UPDATE
            SET state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at,
                provider_id = coalesce(excluded.provider_id, t.provider_id)
          WHERE (t.state, t.reason) IS DISTINCT FROM (excluded.state, excluded.reason)";
}

/// Keeps the state of a template; says whether it is another one.
pub(super) async fn keep_template(
    tx: &TenantTx,
    sender: SenderId,
    update: &TemplateUpdate,
) -> Result<bool, DatabaseError> {
    let params = (
        tx.tenant(),
        sender,
        update.name.clone(),
        update.language.clone(),
        update.state.clone(),
        update.reason.clone(),
        update.provider_id.clone(),
        update.at,
    );
    Ok(tx.execute(&KEEP, params).await? == 1)
}
