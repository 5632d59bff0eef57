//! What the provider says of templates: it approves, pauses and rejects them, for each of its accounts.

use chrono::{DateTime, Utc};
use plaza_contracts::events::TemplateStateChanged;
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::StoredTemplate;

/// In these states the provider takes no message with the template.
const REFUSED: [&str; 5] = ["rejected", "paused", "disabled", "deleted", "pending_deletion"];

/// What the provider said last of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderState {
    /// For which account.
    pub sender_id: SenderId,
    /// `approved`, `paused`, `rejected`, …
    pub state: String,
    /// Why, as the provider says it.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    /// When, by the provider's clock.
    pub at: DateTime<Utc>,
}

impl ProviderState {
    /// Whether the provider takes messages with it.
    pub(crate) fn is_refused(&self) -> bool {
        REFUSED.contains(&self.state.as_str())
    }
}

type Note = (TenantId, String, String, SenderId, String, String, DateTime<Utc>);

statements! {
    // What the provider said later stands, in whatever order we hear it.
    static NOTE: Note => () =
        "INSERT INTO broadcast.template_states AS known (tenant_id, name, language, sender_id, state, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, name, language, sender_id) DO UPDATE
            SET state = excluded.state, reason = excluded.reason, at = excluded.at
          WHERE known.at <= excluded.at";
}

/// Writes down what the provider said.
pub(crate) async fn note(tx: &TenantTx, said: &TemplateStateChanged) -> Result<(), DatabaseError> {
    let cut = |text: &str| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(500)
            .collect::<String>()
    };
    let params = (
        tx.tenant(),
        cut(&said.name),
        cut(&said.language),
        said.sender_id,
        cut(&said.state.to_lowercase()),
        cut(&said.reason),
        said.at,
    );
    tx.execute(&NOTE, params).await.map(|_| ())
}

impl StoredTemplate {
    /// The state in which the provider takes nothing with it from this account, if it is in one.
    pub(crate) fn refusal(&self, sender: SenderId) -> Option<String> {
        let said = self.states.0.iter().find(|said| said.sender_id == sender)?;
        said.is_refused().then(|| said.state.clone())
    }
}
