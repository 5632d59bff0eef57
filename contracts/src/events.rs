//! What the services publish. A payload is a public contract: consumers in other languages read it as it stands.

mod life;
mod message;
mod outcomes;

use std::collections::BTreeMap;

use plaza_kernel::{Event, OrderKey, SystemRole, TenantId, UserId};
use serde::{Deserialize, Serialize};

pub use life::{ConfigChanged, MemberRemoved, MemberRoleChanged, TenantDeleted, TenantStateChanged};
pub use message::{ButtonValue, Media, MessageContent, OutgoingMessage, TemplateButton, TemplateHeader};
pub use outcomes::{
    InboundReceived, NotificationRequested, OptOutRecorded, SenderDegraded, SourceTripped,
    TemplateStateChanged,
};

use crate::ids::{CampaignId, SenderId, WebhookId};

/// A tenant exists. Identity makes the owner's account, access the default roles, notification the first sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCreated {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name in hosts and URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Who will own it.
    pub admin_email: String,
}

impl Event for TenantCreated {
    const NAME: &'static str = "tenant.created";

    fn order_key(&self) -> OrderKey {
        self.tenant_id.as_uuid().into()
    }
}

/// A user became a member of a tenant, or of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// The user.
    pub user_id: UserId,
    /// The address of the account.
    pub email: String,
    /// The coarse role in the tenant.
    pub role: SystemRole,
}

impl Event for UserRegistered {
    const NAME: &'static str = "user.registered";

    fn order_key(&self) -> OrderKey {
        self.user_id.as_uuid().into()
    }
}

/// The owner of a tenant has an account and the tenant can be used. Tenancy marks the tenant active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerProvisioned {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The owner's account.
    pub user_id: UserId,
}

impl Event for OwnerProvisioned {
    const NAME: &'static str = "identity.owner.provisioned";

    fn order_key(&self) -> OrderKey {
        self.tenant_id.as_uuid().into()
    }
}

/// Messages of one campaign to be sent: at most 500. Idempotent by message id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastSend {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The account they go out from.
    pub sender_id: SenderId,
    /// Which part of the campaign this is, counted from 0.
    pub shard: u32,
    /// The messages.
    pub messages: Vec<OutgoingMessage>,
}

impl Event for BroadcastSend {
    const NAME: &'static str = "broadcast.send";

    // Fairness comes from fair claiming, never from keys; the key only keeps one campaign's parts together.
    fn order_key(&self) -> OrderKey {
        OrderKey::new(format!("{}:{}:{}", self.campaign_id, self.sender_id, self.shard))
    }
}

/// A provider called back; the raw body is stored and waits to be processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookReceived {
    /// The stored delivery.
    pub inbox_id: WebhookId,
    /// `meta`.
    pub provider: String,
    /// The provider's account id.
    pub account_id: String,
    /// `receipts`.
    pub kind: String,
}

impl Event for WebhookReceived {
    const NAME: &'static str = "webhook.received";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(format!("{}:{}", self.provider, self.account_id))
    }
}

/// A campaign is in another state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignStateChanged {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The state before.
    pub from: String,
    /// The state now.
    pub to: String,
    /// Plan rows by reason, once planned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub planned: BTreeMap<String, u64>,
}

impl Event for CampaignStateChanged {
    const NAME: &'static str = "broadcast.campaign.state_changed";

    fn order_key(&self) -> OrderKey {
        self.campaign_id.into()
    }
}

/// Every message of a source has reached a state from which nothing more is sent: broadcast completes the campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSettled {
    /// `campaign:<id>`.
    pub source: String,
    /// Messages by state at that time.
    pub by_state: BTreeMap<String, u64>,
}

impl Event for SourceSettled {
    const NAME: &'static str = "notification.source.settled";

    fn order_key(&self) -> OrderKey {
        OrderKey::new(self.source.clone())
    }
}

/// An import of recipients came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCompleted {
    /// The import.
    pub import_id: uuid::Uuid,
    /// Rows by class.
    pub counts: BTreeMap<String, u64>,
}

impl Event for ImportCompleted {
    const NAME: &'static str = "broadcast.import.completed";

    fn order_key(&self) -> OrderKey {
        self.import_id.into()
    }
}
