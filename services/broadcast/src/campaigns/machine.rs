//! The states of a campaign and what leads from one to another. No I/O here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use plaza_contracts::events::CampaignStateChanged;
use plaza_contracts::ids::SenderId;
use postgres_types::Json;

use super::{CampaignState, StoredCampaign};
use crate::RecipientId;
use crate::templates::Frozen;

/// The campaign is in a state that does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the campaign is {0}")]
pub struct WrongState(pub CampaignState);

/// What a transition gives: the fact to be published.
pub(super) type Transition = Result<CampaignStateChanged, WrongState>;

impl StoredCampaign {
    /// How many messages were planned.
    pub(crate) fn to_send(&self) -> u64 {
        self.planned.0.get("send").copied().unwrap_or_default()
    }

    /// Whether its time to begin is still to come.
    pub(crate) fn is_for_later(&self, now: DateTime<Utc>) -> bool {
        self.schedule_at.is_some_and(|at| at > now)
    }

    /// Whether nothing of it would leave any more.
    pub(crate) fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// What it is may still be changed.
    pub(crate) fn may_change(&self) -> Result<(), WrongState> {
        match self.state {
            CampaignState::Draft | CampaignState::Scheduled => Ok(()),
            state => Err(WrongState(state)),
        }
    }

    /// It may be put away: nothing of it is under way.
    pub(crate) fn may_go(&self) -> Result<(), WrongState> {
        match self.state {
            CampaignState::Draft => Ok(()),
            state if state.is_final() => Ok(()),
            state => Err(WrongState(state)),
        }
    }

    /// Draft to scheduled.
    pub(crate) fn schedule(&mut self) -> Transition {
        match self.state {
            CampaignState::Draft if self.schedule_at.is_some() => Ok(self.enter(CampaignState::Scheduled)),
            state => Err(WrongState(state)),
        }
    }

    /// Scheduled to draft: its time was taken away, or it could not begin (`reason`).
    pub(crate) fn unschedule(&mut self, reason: Option<&str>) -> Transition {
        match self.state {
            CampaignState::Scheduled => Ok(self.enter_because(CampaignState::Draft, reason)),
            state => Err(WrongState(state)),
        }
    }

    /// Draft or scheduled to planning.
    pub(crate) fn send(
        &mut self,
        template: Frozen,
        sender: SenderId,
        snapshot: Option<RecipientId>,
    ) -> Transition {
        self.may_change()?;
        self.frozen = Some(Json(template));
        self.sender_id = Some(sender);
        self.snapshot = snapshot;
        Ok(self.enter(CampaignState::Planning))
    }

    /// Planning to running, or to completed when there is nobody to send to.
    pub(crate) fn planned(&mut self) -> Transition {
        match (self.state, self.to_send()) {
            (CampaignState::Planning, 0) => Ok(self.enter(CampaignState::Completed)),
            (CampaignState::Planning, _) => Ok(self.enter(CampaignState::Running)),
            (state, _) => Err(WrongState(state)),
        }
    }

    /// Planning to failed.
    pub(crate) fn give_up(&mut self) -> Transition {
        match self.state {
            CampaignState::Planning => Ok(self.enter_because(CampaignState::Failed, Some("PLANNING_FAILED"))),
            state => Err(WrongState(state)),
        }
    }

    /// What is under way to pausing; `reason` where nobody asked for it.
    pub(crate) fn pause(&mut self, reason: Option<&str>) -> Transition {
        match self.state {
            CampaignState::Planning | CampaignState::Running => self.resumes = Some(self.state),
            // Not told yet, or not by everybody: it will go on with the same.
            CampaignState::Resuming => {}
            state => return Err(WrongState(state)),
        }
        Ok(self.enter_because(CampaignState::Pausing, reason))
    }

    /// Paused to resuming.
    pub(crate) fn resume(&mut self) -> Transition {
        match self.state {
            CampaignState::Paused => Ok(self.enter(CampaignState::Resuming)),
            state => Err(WrongState(state)),
        }
    }

    /// What is under way or paused to cancelling; what waits for its time to cancelled, for nobody knows of it.
    pub(crate) fn cancel(&mut self) -> Transition {
        match self.state {
            CampaignState::Scheduled => Ok(self.enter(CampaignState::Cancelled)),
            CampaignState::Planning
            | CampaignState::Running
            | CampaignState::Pausing
            | CampaignState::Paused
            | CampaignState::Resuming => Ok(self.enter(CampaignState::Cancelling)),
            state => Err(WrongState(state)),
        }
    }

    /// Notification knows what was decided: pausing to paused, resuming to what it was doing, cancelling to cancelled.
    pub(crate) fn told(&mut self) -> Transition {
        match (self.state, self.resumes) {
            (CampaignState::Pausing, _) => {
                let reason = self.state_reason.take();
                Ok(self.enter_because(CampaignState::Paused, reason.as_deref()))
            }
            (CampaignState::Resuming, Some(resumes)) => {
                self.resumes = None;
                Ok(self.enter(resumes))
            }
            (CampaignState::Cancelling, _) => Ok(self.enter(CampaignState::Cancelled)),
            (state, _) => Err(WrongState(state)),
        }
    }

    /// Completed to running: what failed is to be tried again.
    pub(crate) fn retry(&mut self) -> Transition {
        match self.state {
            CampaignState::Completed => Ok(self.enter(CampaignState::Running)),
            state => Err(WrongState(state)),
        }
    }

    /// Running to completed, if these counts of notification say so: it knows every planned message, and none of them
    /// will be sent any more. Not while somebody asks it for more.
    pub(crate) fn settle(&mut self, by_state: &BTreeMap<String, u64>) -> Option<CampaignStateChanged> {
        let known = by_state
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count));
        let is_open = ["queued", "leased", "unknown"]
            .iter()
            .any(|state| by_state.get(*state).is_some_and(|count| *count > 0));
        let running = self.state == CampaignState::Running && !self.moving;
        let settled = running && !is_open && known >= self.to_send();
        settled.then(|| self.enter(CampaignState::Completed))
    }

    fn enter(&mut self, state: CampaignState) -> CampaignStateChanged {
        self.enter_because(state, None)
    }

    fn enter_because(&mut self, state: CampaignState, reason: Option<&str>) -> CampaignStateChanged {
        let from = std::mem::replace(&mut self.state, state);
        self.state_reason = reason.map(str::to_owned);
        CampaignStateChanged {
            campaign_id: self.id,
            from: from.to_string(),
            to: state.to_string(),
            planned: self.planned.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::ids::CampaignId;
    use plaza_kernel::Clock;

    use super::CampaignState::{
        Cancelled, Cancelling, Completed, Draft, Failed, Paused, Pausing, Planning, Resuming, Running,
        Scheduled,
    };
    use super::*;
    use crate::TemplateId;
    use crate::campaigns::{Audience, Channel, Class};
    use crate::templates::Category;

    const ALL: [CampaignState; 11] = [
        Draft, Scheduled, Planning, Running, Pausing, Paused, Resuming, Cancelling, Cancelled, Completed,
        Failed,
    ];

    fn campaign(state: CampaignState, to_send: u64) -> StoredCampaign {
        let clock = Clock::system();
        StoredCampaign {
            id: CampaignId::generate(&clock),
            name: "Spring".to_owned(),
            template_id: TemplateId::generate(&clock),
            sender_id: None,
            channel: Channel::Whatsapp,
            class: Class::Marketing,
            audience: Json(Audience::default()),
            schedule_at: Some(clock.now()),
            expires_at: None,
            state,
            state_reason: Some("OLD".to_owned()),
            resumes: matches!(state, Pausing | Paused | Resuming).then_some(Running),
            moving: false,
            planned: Json(BTreeMap::from([("send".to_owned(), to_send)])),
            frozen: None,
            snapshot: None,
            cursor: None,
            shards: 0,
            version: 1,
            created_at: clock.now(),
            updated_at: clock.now(),
        }
    }

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter()
            .map(|(state, count)| ((*state).to_owned(), *count))
            .collect()
    }

    fn begin(campaign: &mut StoredCampaign) -> Transition {
        let template = Frozen {
            name: "t".to_owned(),
            language: "en".to_owned(),
            body: None,
            variables: vec![],
        };
        campaign.send(template, SenderId::generate(&Clock::system()), None)
    }

    #[test]
    fn every_state_allows_what_it_allows_and_nothing_else() {
        type Step = fn(&mut StoredCampaign) -> Transition;
        type Ways = &'static [(CampaignState, CampaignState)];
        let steps: [(&str, Step, Ways); 9] = [
            ("send", begin, &[(Draft, Planning), (Scheduled, Planning)]),
            ("schedule", StoredCampaign::schedule, &[(Draft, Scheduled)]),
            ("unschedule", |c| c.unschedule(None), &[(Scheduled, Draft)]),
            ("planned", StoredCampaign::planned, &[(Planning, Running)]),
            (
                "pause",
                |c| c.pause(None),
                &[(Planning, Pausing), (Running, Pausing), (Resuming, Pausing)],
            ),
            ("resume", StoredCampaign::resume, &[(Paused, Resuming)]),
            (
                "cancel",
                StoredCampaign::cancel,
                &[
                    (Scheduled, Cancelled),
                    (Planning, Cancelling),
                    (Running, Cancelling),
                    (Pausing, Cancelling),
                    (Paused, Cancelling),
                    (Resuming, Cancelling),
                ],
            ),
            (
                "told",
                StoredCampaign::told,
                &[(Pausing, Paused), (Resuming, Running), (Cancelling, Cancelled)],
            ),
            ("retry", StoredCampaign::retry, &[(Completed, Running)]),
        ];
        for (name, step, allowed) in steps {
            for from in ALL {
                let mut campaign = campaign(from, 1);
                let expected = allowed
                    .iter()
                    .find(|(state, _)| *state == from)
                    .map(|(_, to)| *to);
                match (step(&mut campaign), expected) {
                    (Ok(changed), Some(to)) => {
                        assert_eq!(
                            (changed.from, changed.to),
                            (from.to_string(), to.to_string()),
                            "{name}"
                        );
                        assert_eq!(campaign.state, to, "{name}");
                    }
                    (refused, None) => {
                        assert_eq!(refused, Err(WrongState(from)), "{name}");
                        assert_eq!(campaign.state, from, "{name}");
                    }
                    (refused, Some(to)) => panic!("{name} from {from} to {to}: {refused:?}"),
                }
            }
        }
    }

    #[test]
    fn nobody_to_send_to_completes_at_once() {
        let mut nobody = campaign(Planning, 0);
        nobody.planned().unwrap();
        assert_eq!(nobody.state, Completed);
    }

    #[test]
    fn a_pause_ends_where_it_began() {
        for from in [Planning, Running] {
            let mut campaign = campaign(from, 1);
            campaign.pause(Some("131049")).unwrap();
            campaign.told().unwrap();
            assert_eq!(
                (campaign.state, campaign.state_reason.as_deref()),
                (Paused, Some("131049"))
            );
            campaign.resume().unwrap();
            assert_eq!(campaign.state_reason, None);
            // Paused again before notification knew that it goes on.
            campaign.pause(None).unwrap();
            campaign.told().unwrap();
            campaign.resume().unwrap();
            campaign.told().unwrap();
            assert_eq!((campaign.state, campaign.resumes), (from, None));
        }
    }

    #[test]
    fn what_is_under_way_can_neither_be_changed_nor_put_away() {
        for state in ALL {
            let campaign = campaign(state, 1);
            assert_eq!(
                campaign.may_change().is_ok(),
                matches!(state, Draft | Scheduled),
                "{state}"
            );
            let may_go = matches!(state, Draft | Cancelled | Completed | Failed);
            assert_eq!(campaign.may_go().is_ok(), may_go, "{state}");
        }
    }

    #[test]
    fn a_campaign_settles_only_when_every_planned_message_has() {
        let running = || campaign(Running, 3);
        assert!(
            running().settle(&counts(&[("delivered", 2)])).is_none(),
            "one is not known to notification yet"
        );
        for open in ["queued", "leased", "unknown"] {
            let counts = counts(&[("delivered", 2), (open, 1)]);
            assert!(running().settle(&counts).is_none(), "{open}");
        }
        let settled = counts(&[("delivered", 1), ("failed", 1), ("accepted", 1)]);
        assert!(running().settle(&settled).is_some());
        let mut asking = running();
        asking.moving = true;
        assert!(asking.settle(&settled).is_none(), "more may be asked for");
        let beyond_counting = counts(&[("delivered", u64::MAX), ("queued", u64::MAX)]);
        assert!(running().settle(&beyond_counting).is_none());
        for other in ALL.into_iter().filter(|state| *state != Running) {
            assert!(campaign(other, 3).settle(&settled).is_none(), "{other}");
        }
    }

    #[test]
    fn advertising_does_not_dress_up() {
        assert!(!Class::Utility.admits(Category::Marketing));
        assert!(Class::Utility.admits(Category::Utility));
        assert!(Class::Marketing.admits(Category::Utility));
    }
}
