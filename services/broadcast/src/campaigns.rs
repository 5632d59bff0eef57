//! Campaigns: one template to many recipients.
//!
//! `draft` → `planning` (every recipient gets one plan row, in batches) → `running` (notification sends) → `completed`;
//! `failed` when planning failed again and again on our side. A campaign with nobody to send to goes from `planning` to
//! `completed`.

pub mod create;
pub(crate) mod get;
pub(crate) mod http;
pub mod plan;
mod planner;
pub mod send;
pub(crate) mod settle;
pub(crate) mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use plaza_contracts::events::CampaignStateChanged;
use plaza_contracts::ids::{CampaignId, SenderId};
use postgres_types::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::templates::{Category, Frozen};
use crate::text_enum::text_enum;
use crate::{ImportId, RecipientId, TemplateId};

text_enum! {
    /// How far a campaign is.
    pub enum CampaignState {
        /// Not sent yet.
        Draft = "draft",
        /// It is decided who gets a message.
        Planning = "planning",
        /// Messages are being sent.
        Running = "running",
        /// Nothing more will be sent.
        Completed = "completed",
        /// Planning was given up.
        Failed = "failed",
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
        pub(crate) class: Class,
        pub(crate) audience: Json<Audience>,
        pub(crate) state: CampaignState,
        pub(crate) planned: Json<BTreeMap<String, u64>>,
        pub(crate) frozen: Option<Json<Frozen>>,
        pub(crate) snapshot: Option<RecipientId>,
        pub(crate) cursor: Option<RecipientId>,
        pub(crate) shards: i32,
        pub(crate) created_at: DateTime<Utc>,
        pub(crate) updated_at: DateTime<Utc>,
    }
}

/// The campaign is in a state that does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the campaign is {0}")]
pub struct WrongState(pub CampaignState);

impl StoredCampaign {
    /// How many messages were planned.
    pub(crate) fn to_send(&self) -> u64 {
        self.planned.0.get("send").copied().unwrap_or_default()
    }

    /// Draft to planning.
    pub(crate) fn send(
        &mut self,
        template: Frozen,
        sender: SenderId,
        snapshot: Option<RecipientId>,
    ) -> Result<CampaignStateChanged, WrongState> {
        if self.state != CampaignState::Draft {
            return Err(WrongState(self.state));
        }
        self.frozen = Some(Json(template));
        self.sender_id = Some(sender);
        self.snapshot = snapshot;
        Ok(self.enter(CampaignState::Planning))
    }

    /// Planning to running, or to completed when there is nobody to send to.
    pub(crate) fn planned(&mut self) -> Result<CampaignStateChanged, WrongState> {
        match (self.state, self.to_send()) {
            (CampaignState::Planning, 0) => Ok(self.enter(CampaignState::Completed)),
            (CampaignState::Planning, _) => Ok(self.enter(CampaignState::Running)),
            (state, _) => Err(WrongState(state)),
        }
    }

    /// Planning to failed.
    pub(crate) fn give_up(&mut self) -> Result<CampaignStateChanged, WrongState> {
        match self.state {
            CampaignState::Planning => Ok(self.enter(CampaignState::Failed)),
            state => Err(WrongState(state)),
        }
    }

    /// Running to completed, if these counts of notification say so: it knows every planned message, and none of them
    /// will be sent any more.
    pub(crate) fn settle(&mut self, by_state: &BTreeMap<String, u64>) -> Option<CampaignStateChanged> {
        let known = by_state
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count));
        let is_open = ["queued", "leased", "unknown"]
            .iter()
            .any(|state| by_state.get(*state).is_some_and(|count| *count > 0));
        let settled = self.state == CampaignState::Running && !is_open && known >= self.to_send();
        settled.then(|| self.enter(CampaignState::Completed))
    }

    fn enter(&mut self, state: CampaignState) -> CampaignStateChanged {
        let from = std::mem::replace(&mut self.state, state);
        CampaignStateChanged {
            campaign_id: self.id,
            from: from.to_string(),
            to: state.to_string(),
            planned: self.planned.0.clone(),
        }
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
    /// The template.
    pub template_id: TemplateId,
    /// The sender it goes out from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<SenderId>,
    /// What it is for.
    pub class: Class,
    /// Who is considered.
    pub audience: Audience,
    /// Recipients by what was decided: `send`, `no_consent`, `suppressed`, `duplicate`, `no_phone`, `missing_value`.
    pub planned: BTreeMap<String, u64>,
    /// Messages by state, as notification knows them now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<BTreeMap<String, u64>>,
    /// Notification could not be asked: `counts` is absent for that reason.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub counts_unavailable: bool,
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
            template_id: stored.template_id,
            sender_id: stored.sender_id,
            class: stored.class,
            audience: stored.audience.0,
            planned: stored.planned.0,
            counts: None,
            counts_unavailable: false,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(state: CampaignState, to_send: u64) -> StoredCampaign {
        let clock = plaza_kernel::Clock::system();
        StoredCampaign {
            id: CampaignId::generate(&clock),
            name: "Spring".to_owned(),
            template_id: TemplateId::generate(&clock),
            sender_id: None,
            class: Class::Marketing,
            audience: Json(Audience::default()),
            state,
            planned: Json(BTreeMap::from([("send".to_owned(), to_send)])),
            frozen: None,
            snapshot: None,
            cursor: None,
            shards: 0,
            created_at: clock.now(),
            updated_at: clock.now(),
        }
    }

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter()
            .map(|(state, count)| ((*state).to_owned(), *count))
            .collect()
    }

    #[test]
    fn only_a_draft_can_be_sent() {
        use CampaignState::{Completed, Draft, Failed, Planning, Running};
        let clock = plaza_kernel::Clock::system();
        let template = || Frozen {
            name: "t".to_owned(),
            language: "en".to_owned(),
            variables: vec![],
        };
        for state in [Planning, Running, Completed, Failed] {
            let sent = campaign(state, 0).send(template(), SenderId::generate(&clock), None);
            assert_eq!(sent, Err(WrongState(state)));
        }
        let mut draft = campaign(Draft, 0);
        let changed = draft.send(template(), SenderId::generate(&clock), None).unwrap();
        assert_eq!(
            (changed.from.as_str(), changed.to.as_str()),
            ("draft", "planning")
        );
        assert_eq!(draft.state, Planning);
    }

    #[test]
    fn nobody_to_send_to_completes_at_once() {
        let mut nobody = campaign(CampaignState::Planning, 0);
        nobody.planned().unwrap();
        assert_eq!(nobody.state, CampaignState::Completed);
        let mut somebody = campaign(CampaignState::Planning, 1);
        somebody.planned().unwrap();
        assert_eq!(somebody.state, CampaignState::Running);
        assert!(somebody.planned().is_err());
    }

    #[test]
    fn a_campaign_settles_only_when_every_planned_message_has() {
        let running = || campaign(CampaignState::Running, 3);
        assert!(
            running().settle(&counts(&[("delivered", 2)])).is_none(),
            "one is not known to notification yet"
        );
        assert!(
            running()
                .settle(&counts(&[("delivered", 2), ("queued", 1)]))
                .is_none()
        );
        assert!(
            running()
                .settle(&counts(&[("read", 2), ("unknown", 1)]))
                .is_none()
        );
        assert!(
            running()
                .settle(&counts(&[("delivered", 1), ("failed", 1), ("accepted", 1)]))
                .is_some()
        );
        let beyond_counting = counts(&[("delivered", u64::MAX), ("queued", u64::MAX)]);
        assert!(running().settle(&beyond_counting).is_none());
        assert!(
            campaign(CampaignState::Planning, 3)
                .settle(&counts(&[("delivered", 3)]))
                .is_none(),
            "more may be planned"
        );
        assert!(
            campaign(CampaignState::Completed, 3)
                .settle(&counts(&[("delivered", 3)]))
                .is_none()
        );
    }

    #[test]
    fn advertising_does_not_dress_up() {
        assert!(!Class::Utility.admits(Category::Marketing));
        assert!(Class::Utility.admits(Category::Utility));
        assert!(Class::Marketing.admits(Category::Utility));
    }
}
