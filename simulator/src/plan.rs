//! What will be reported about an accepted message, and when. Pure: the same seed, number and reference give the
//! same plan.

use serde::{Deserialize, Serialize};

use crate::draws::Draws;
use crate::faults::Fault;
use crate::settings::SimulatorSettings;

/// A status as WhatsApp reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It left.
    Sent,
    /// It arrived at the device.
    Delivered,
    /// It was seen.
    Read,
    /// It will not arrive, for the reason of this code.
    Failed(u32),
}

impl Status {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed(_) => "failed",
        }
    }
}

/// One callback of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is reported.
    pub status: Status,
    /// Milliseconds to wait after the step before it. A step without a wait may share its request.
    pub wait: u32,
    /// When it happened, in milliseconds since the message was accepted: its timestamp.
    pub happened: u32,
}

/// The plan of a message that is accepted for the `ordinal`th time (0 first) under the same key.
pub(crate) fn plan(
    settings: &SimulatorSettings,
    fault: Option<Fault>,
    to: &str,
    key: &str,
    ordinal: u16,
) -> Vec<Step> {
    let mut draws = Draws::new(settings.seed, &["plan", key, &ordinal.to_string()]);
    let mut steps = Vec::with_capacity(4);
    let mut happened = 0;
    for status in outcome(settings, fault, to) {
        let wait = clamped(draws.between(settings.delay_milliseconds));
        happened += wait;
        steps.push(Step {
            status,
            wait,
            happened,
        });
    }
    if steps.len() > 1 && draws.chance(settings.reorder_rate) {
        swap_sent_and_delivered(&mut steps);
    }
    repeated(settings, steps, &mut draws)
}

/// What becomes of messages to a number: some cannot be reached, some are read, and it stays so.
fn outcome(settings: &SimulatorSettings, fault: Option<Fault>, to: &str) -> Vec<Status> {
    let mut draws = Draws::new(settings.seed, &["recipient", to]);
    let (unreachable, reads) = (
        draws.chance(settings.failure_rate),
        draws.chance(settings.read_rate),
    );
    match fault {
        Some(Fault::Silent) => vec![],
        Some(Fault::NeverDelivered) => vec![Status::Sent],
        Some(Fault::Fails(code)) => vec![Status::Failed(code)],
        _ if unreachable => vec![Status::Failed(131_026)],
        _ if reads => vec![Status::Sent, Status::Delivered, Status::Read],
        _ => vec![Status::Sent, Status::Delivered],
    }
}

/// The statuses change places; what happened when stays true.
fn swap_sent_and_delivered(steps: &mut [Step]) {
    let waits = (steps[0].wait, steps[1].wait);
    steps.swap(0, 1);
    (steps[0].wait, steps[1].wait) = waits;
}

/// Half of the repetitions follow at once, half come last, when later statuses were already reported.
fn repeated(settings: &SimulatorSettings, steps: Vec<Step>, draws: &mut Draws) -> Vec<Step> {
    let mut all = Vec::with_capacity(steps.len());
    let mut late = Vec::new();
    for step in steps {
        all.push(step);
        if draws.chance(settings.duplicate_rate) {
            let at_once = draws.chance(0.5);
            let again = Step {
                wait: if at_once { 0 } else { step.wait },
                ..step
            };
            if at_once {
                all.push(again)
            } else {
                late.push(again)
            }
        }
    }
    all.append(&mut late);
    all
}

fn clamped(milliseconds: u64) -> u32 {
    // A day: the sum of a plan stays far below what a u32 holds.
    u32::try_from(milliseconds).unwrap_or(u32::MAX).min(86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(settings: &SimulatorSettings, fault: Option<Fault>, key: &str) -> Vec<&'static str> {
        plan(settings, fault, "4915117404120", key, 0)
            .iter()
            .map(|step| step.status.word())
            .collect()
    }

    fn calm() -> SimulatorSettings {
        SimulatorSettings {
            duplicate_rate: 0.0,
            reorder_rate: 0.0,
            failure_rate: 0.0,
            read_rate: 1.0,
            ..SimulatorSettings::default()
        }
    }

    #[test]
    fn a_calm_plan_is_in_order() {
        let steps = plan(&calm(), None, "4915117404120", "a", 0);
        assert_eq!(words(&calm(), None, "a"), ["sent", "delivered", "read"]);
        assert!(steps.is_sorted_by_key(|step| step.happened));
        assert!(steps.iter().all(|step| (20..=400).contains(&step.wait)));
    }

    #[test]
    fn a_swap_reports_delivered_first_and_tells_the_true_times() {
        let settings = SimulatorSettings {
            reorder_rate: 1.0,
            ..calm()
        };
        let steps = plan(&settings, None, "4915117404120", "a", 0);
        assert_eq!(words(&settings, None, "a"), ["delivered", "sent", "read"]);
        assert!(steps[0].happened > steps[1].happened);
    }

    #[test]
    fn every_status_may_be_repeated() {
        let settings = SimulatorSettings {
            duplicate_rate: 1.0,
            ..calm()
        };
        let mut words = words(&settings, None, "a");
        assert_eq!(words.len(), 6);
        words.sort_unstable();
        assert_eq!(words, ["delivered", "delivered", "read", "read", "sent", "sent"]);
    }

    #[test]
    fn faults_decide_the_outcome() {
        assert_eq!(words(&calm(), Some(Fault::Silent), "a"), Vec::<&str>::new());
        assert_eq!(words(&calm(), Some(Fault::NeverDelivered), "a"), ["sent"]);
        let failed = plan(&calm(), Some(Fault::Fails(131_047)), "1", "a", 0);
        assert_eq!(failed[0].status, Status::Failed(131_047));
        assert_eq!(
            words(&calm(), Some(Fault::Unanswered), "a"),
            ["sent", "delivered", "read"]
        );
    }

    #[test]
    fn the_same_message_has_the_same_plan_and_another_has_another() {
        let settings = SimulatorSettings {
            duplicate_rate: 0.5,
            reorder_rate: 0.5,
            ..SimulatorSettings::default()
        };
        let plans = |seed: u64| -> Vec<Vec<Step>> {
            let settings = SimulatorSettings {
                seed,
                ..settings.clone()
            };
            (0..50)
                .map(|key: u32| plan(&settings, None, "4915117404120", &key.to_string(), 0))
                .collect()
        };
        assert_eq!(plans(1), plans(1));
        assert_ne!(plans(1), plans(2));
        assert_ne!(plans(1)[0], plans(1)[1]);
    }

    #[test]
    fn a_recipient_keeps_a_fate_whatever_the_message() {
        let settings = SimulatorSettings {
            duplicate_rate: 0.0,
            reorder_rate: 0.0,
            ..SimulatorSettings::default()
        };
        let outcomes: std::collections::HashSet<_> = (0..50)
            .map(|key: u32| words(&settings, None, &key.to_string()))
            .collect();
        assert_eq!(outcomes.len(), 1);
    }
}
