//! How an entry is shown.

use chrono::{DateTime, Utc};
use plaza_kernel::TenantId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::read::Told;

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActorView {
    /// `person`, `service`, `operator` (whoever runs commands on the machine) or `nobody` (who was not logged in).
    #[schema(example = "person")]
    kind: String,
    /// The account, if it was a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// The person's role, or the service's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "owner")]
    role: Option<String>,
}

/// What it was done to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetView {
    /// The kind of thing.
    #[schema(example = "campaign")]
    kind: String,
    /// Its id; absent if nobody knows to what it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// One entry: what was done, to what, by whom. It tells people and things by their ids alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    /// Its id.
    id: Uuid,
    /// The service in whose audit it is.
    #[schema(value_type = String, example = "broadcast")]
    service: &'static str,
    /// Whose it is; absent for what was done on the platform itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
    /// When.
    at: DateTime<Utc>,
    actor: ActorView,
    /// The request it was done for.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// What was done.
    #[schema(example = "campaigns.send")]
    action: String,
    target: TargetView,
    /// `done` or `denied`.
    #[schema(example = "done")]
    outcome: String,
    /// Of its fields those that may be told, as they were before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// The same, as they became.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

impl From<Told> for EntryView {
    fn from((service, row): Told) -> Self {
        // What is no JSON was not written by Plaza; a check of the chain says so.
        let object = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            id: row.id,
            service: service.as_str(),
            tenant_id: row.tenant.and_then(|tenant| TenantId::try_from(tenant).ok()),
            at: row.at,
            actor: ActorView {
                kind: row.actor_kind,
                id: row.actor,
                role: row.actor_role,
            },
            request_id: row.request_id,
            action: row.action,
            target: TargetView {
                kind: row.target_kind,
                id: row.target,
            },
            outcome: row.outcome,
            before: object(row.before),
            after: object(row.after),
        }
    }
}
