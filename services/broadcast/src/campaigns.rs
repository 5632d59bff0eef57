//! Campaigns: one template to many recipients.
//!
//! `draft` → `planning` (every recipient gets one plan row, in batches) → `running` (notification sends) → `completed`;
//! `failed` when planning failed again and again on our side. A campaign with nobody to send to goes from `planning` to
//! `completed`. A draft with a time to begin waits as `scheduled`.
//!
//! What is planned or running can be paused and called off. That takes two steps: `pausing`, `resuming` and `cancelling`
//! say what was decided, and once notification knows it the campaign is `paused`, goes on, or is `cancelled`
//! (`campaigns/moves.rs`). All transitions are in `campaigns/machine.rs`.

pub mod change;
pub(crate) mod claims;
pub mod create;
pub(crate) mod due;
pub(crate) mod forecast;
pub(crate) mod get;
pub(crate) mod http;
mod machine;
pub(crate) mod moves;
pub mod plan;
mod planner;
pub(crate) mod preview;
pub(crate) mod progress;
pub(crate) mod remove;
pub(crate) mod report;
pub mod retry;
pub mod send;
pub(crate) mod settle;
pub(crate) mod steer;
pub(crate) mod store;
pub mod terms;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use postgres_types::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::templates::{Category, Frozen};
use crate::text_enum::text_enum;
use crate::{ImportId, RecipientId, TemplateId};

pub use machine::WrongState;

text_enum! {
    /// How far a campaign is.
    pub enum CampaignState {
        /// Not sent yet.
        Draft = "draft",
        /// Begins by itself at its time.
        Scheduled = "scheduled",
        /// It is decided who gets a message.
        Planning = "planning",
        /// Messages are being sent.
        Running = "running",
        /// It was decided to pause; messages may still leave.
        Pausing = "pausing",
        /// Nothing leaves until it is resumed.
        Paused = "paused",
        /// It was decided to go on.
        Resuming = "resuming",
        /// It was called off; messages may still leave.
        Cancelling = "cancelling",
        /// It was called off: nothing more is sent.
        Cancelled = "cancelled",
        /// Nothing more will be sent.
        Completed = "completed",
        /// Planning was given up.
        Failed = "failed",
    }
}

impl CampaignState {
    /// Whether it stays so unless somebody asks for something.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Completed | Self::Failed)
    }
}

text_enum! {
    /// What messages travel on.
    #[derive(Default)]
    pub enum Channel {
        /// WhatsApp: a template that the provider knows.
        #[default]
        Whatsapp = "whatsapp",
        /// SMS: the template's text.
        Sms = "sms",
    }
}

text_enum! {
    /// What a campaign is for, which decides whose consent it needs.
    pub enum Class {
        /// Advertising: only to people who said yes.
        Marketing = "marketing",
        /// About something the person ordered or asked.
        Utility = "utility",
        /// One-time codes.
        Authentication = "authentication",
    }
}

impl Class {
    /// Whether a template of this category may be used: advertising must not dress up as anything else.
    pub const fn admits(self, category: Category) -> bool {
        matches!(self, Self::Marketing) || !matches!(category, Category::Marketing)
    }
}

/// Who is considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audience {
    /// Only people who said yes. Has to be so for marketing.
    pub opted_in: bool,
    /// Only recipients that this import wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<ImportId>,
    /// Only recipients of this country, ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Default for Audience {
    fn default() -> Self {
        Self {
            opted_in: true,
            import_id: None,
            country: None,
        }
    }
}

plaza_database::row! {
    /// A campaign as it is stored.
    #[derive(Debug, Clone)]
    pub(crate) struct StoredCampaign {
        pub(crate) id: CampaignId,
        pub(crate) name: String,
        pub(crate) template_id: TemplateId,
        pub(crate) sender_id: Option<SenderId>,
        pub(crate) channel: Channel,
        pub(crate) class: Class,
        pub(crate) audience: Json<Audience>,
        pub(crate) schedule_at: Option<DateTime<Utc>>,
        pub(crate) expires_at: Option<DateTime<Utc>>,
        pub(crate) state: CampaignState,
        pub(crate) state_reason: Option<String>,
        /// What it goes on with after a pause: planning or running.
        pub(crate) resumes: Option<CampaignState>,
        /// Somebody is telling notification something about it right now.
        pub(crate) moving: bool,
        pub(crate) planned: Json<BTreeMap<String, u64>>,
        pub(crate) frozen: Option<Json<Frozen>>,
        pub(crate) snapshot: Option<RecipientId>,
        pub(crate) cursor: Option<RecipientId>,
        pub(crate) shards: i32,
        /// Rises with every change.
        pub(crate) version: i64,
        pub(crate) created_at: DateTime<Utc>,
        pub(crate) updated_at: DateTime<Utc>,
    }
}

/// A campaign.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Campaign {
    /// The id.
    pub id: CampaignId,
    /// The name.
    pub name: String,
    /// How far it is.
    pub state: CampaignState,
    /// A code: why it came there without anybody's wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// The template.
    pub template_id: TemplateId,
    /// The sender it goes out from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<SenderId>,
    /// What its messages travel on.
    pub channel: Channel,
    /// What it is for.
    pub class: Class,
    /// Who is considered.
    pub audience: Audience,
    /// When it begins by itself, once it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_at: Option<DateTime<Utc>>,
    /// What has not left by then never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Recipients by what was decided: `send`, or the reason why not, as in the plan.
    pub planned: BTreeMap<String, u64>,
    /// Messages by state, as notification knows them now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<BTreeMap<String, u64>>,
    /// Notification could not be asked: `counts` is absent for that reason.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub counts_unavailable: bool,
    /// Rises with every change; `ETag` is `"v<version>"`.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it changed.
    pub updated_at: DateTime<Utc>,
}

impl From<StoredCampaign> for Campaign {
    fn from(stored: StoredCampaign) -> Self {
        Self {
            id: stored.id,
            name: stored.name,
            state: stored.state,
            state_reason: stored.state_reason,
            template_id: stored.template_id,
            sender_id: stored.sender_id,
            channel: stored.channel,
            class: stored.class,
            audience: stored.audience.0,
            schedule_at: stored.schedule_at,
            expires_at: stored.expires_at,
            planned: stored.planned.0,
            counts: None,
            counts_unavailable: false,
            version: stored.version,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}
