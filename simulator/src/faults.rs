//! Faults on purpose, chosen by the last digits of the recipient's number.

use serde::{Deserialize, Serialize};

use crate::draws::Draws;
use crate::settings::SimulatorSettings;

/// Whose last digits choose a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Faults {
    /// Nobody's.
    None,
    /// Only numbers that belong to nobody: `+1 NXX 555 01dd`, which are kept free for fiction and are valid numbers,
    /// and what begins with one of `fault_prefixes`.
    #[default]
    ByDigits,
    /// Every number, by its last four digits. One in 500 of a random list is hit.
    All,
}

/// What goes wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Refused with this code: the first attempts of a message.
    RefusedAtFirst(u32),
    /// Refused with this code: always.
    Refused(u32),
    /// The connection closes without an answer and nothing was accepted: the first attempts of a message.
    Cut,
    /// Accepted, but the first answer takes very long.
    Stalled,
    /// Accepted, but the connection closes without an answer the first time.
    Unanswered,
    /// Accepted; later reported as failed with this code.
    Fails(u32),
    /// Accepted and sent, and never delivered.
    NeverDelivered,
    /// Accepted, and nothing is heard of it again.
    Silent,
}

/// A row of [`Fault::TABLE`].
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FaultRow {
    /// The last four digits of a number with one of the `fault_prefixes` (and of any, with [`Faults::All`]).
    pub suffix: &'static str,
    /// The last two digits of a number `+1 NXX 555 01dd`.
    pub fiction: &'static str,
    /// What goes wrong.
    pub fault: Fault,
}

const fn row(suffix: &'static str, fiction: &'static str, fault: Fault) -> FaultRow {
    FaultRow {
        suffix,
        fiction,
        fault,
    }
}

impl Fault {
    /// All faults, with the digits that choose them: `+15550000429` and `+12015550129` are rate limited twice.
    pub const TABLE: &[FaultRow] = &[
        row("0429", "29", Self::RefusedAtFirst(130_429)),
        row("0500", "50", Self::RefusedAtFirst(131_000)),
        row("0503", "53", Self::RefusedAtFirst(131_016)),
        row("1056", "56", Self::RefusedAtFirst(131_056)),
        row("0007", "07", Self::Cut),
        row("0008", "08", Self::Stalled),
        row("0009", "09", Self::Unanswered),
        row("0001", "01", Self::NeverDelivered),
        row("0002", "02", Self::Silent),
        row("1026", "26", Self::Fails(131_026)),
        row("1047", "47", Self::Fails(131_047)),
        row("1049", "49", Self::Fails(131_049)),
        row("1050", "51", Self::Fails(131_050)),
        row("0472", "72", Self::Fails(130_472)),
        row("0190", "90", Self::Refused(190)),
        row("1009", "10", Self::Refused(131_009)),
        row("1031", "31", Self::Refused(131_031)),
        row("1048", "48", Self::Refused(131_048)),
        row("2001", "32", Self::Refused(132_001)),
        row("2015", "15", Self::Refused(132_015)),
        row("2016", "16", Self::Refused(132_016)),
    ];

    /// The fault of a message: by its template's name, by its number, or by chance.
    pub(crate) fn of(
        settings: &SimulatorSettings,
        to: &str,
        key: &str,
        template: Option<&str>,
    ) -> Option<Self> {
        by_template(template)
            .or_else(|| by_number(settings, to))
            .or_else(|| by_chance(settings, key))
    }
}

fn by_template(name: Option<&str>) -> Option<Fault> {
    name?.strip_prefix("fault_")?.parse().ok().map(Fault::Refused)
}

fn by_number(settings: &SimulatorSettings, to: &str) -> Option<Fault> {
    if settings.faults == Faults::None {
        return None;
    }
    if let Some(digits) = fiction(to) {
        return Fault::TABLE
            .iter()
            .find(|row| row.fiction == digits)
            .map(|row| row.fault);
    }
    let reserved = || {
        settings
            .fault_prefixes
            .iter()
            .any(|prefix| to.starts_with(prefix.as_str()))
    };
    if settings.faults == Faults::All || reserved() {
        return Fault::TABLE
            .iter()
            .find(|row| to.ends_with(row.suffix))
            .map(|row| row.fault);
    }
    None
}

/// The last two digits of `1 NXX 555 01dd`.
fn fiction(to: &str) -> Option<&str> {
    let local = to.strip_prefix('1').filter(|local| local.len() == 10)?;
    local.get(3..)?.strip_prefix("55501")
}

fn by_chance(settings: &SimulatorSettings, key: &str) -> Option<Fault> {
    let mut draws = Draws::new(settings.seed, &["fault", key]);
    if draws.chance(settings.transient_rate) {
        let code = if draws.chance(0.5) { 130_429 } else { 131_000 };
        return Some(Fault::RefusedAtFirst(code));
    }
    draws
        .chance(settings.unanswered_rate)
        .then_some(Fault::Unanswered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(faults: Faults, to: &str) -> Option<Fault> {
        let settings = SimulatorSettings {
            faults,
            ..SimulatorSettings::default()
        };
        Fault::of(&settings, to, "key", Some("order_update"))
    }

    #[test]
    fn numbers_of_real_people_have_no_faults() {
        for to in [
            "4915117400429",
            "33625550178",
            "905329640500",
            "12015551056",
            "441555010429",
        ] {
            assert_eq!(fault(Faults::ByDigits, to), None, "{to}");
        }
        assert_eq!(
            fault(Faults::All, "4915117400429"),
            Some(Fault::RefusedAtFirst(130_429))
        );
    }

    #[test]
    fn every_row_is_reached_both_ways() {
        for row in Fault::TABLE {
            assert_eq!(
                fault(
                    Faults::ByDigits,
                    &format!("1201555 01{}", row.fiction).replace(' ', "")
                ),
                Some(row.fault)
            );
            assert_eq!(
                fault(Faults::ByDigits, &format!("1555000{}", row.suffix)),
                Some(row.fault)
            );
            assert_eq!(
                fault(Faults::ByDigits, &format!("9991234{}", row.suffix)),
                Some(row.fault)
            );
            assert_eq!(fault(Faults::None, &format!("1555000{}", row.suffix)), None);
        }
        assert_eq!(fault(Faults::ByDigits, "12015550123"), None);
    }

    #[test]
    fn a_template_can_ask_for_a_code() {
        let settings = SimulatorSettings::default();
        assert_eq!(
            Fault::of(&settings, "4915117404120", "k", Some("fault_132015")),
            Some(Fault::Refused(132_015))
        );
        assert_eq!(
            Fault::of(&settings, "4915117404120", "k", Some("fault_tolerance")),
            None
        );
        assert_eq!(Fault::of(&settings, "4915117404120", "k", None), None);
    }

    #[test]
    fn chance_is_bound_to_the_message() {
        let settings = SimulatorSettings {
            transient_rate: 0.5,
            ..SimulatorSettings::default()
        };
        let hit = |key: &str| Fault::of(&settings, "4915117404120", key, None).is_some();
        let keys: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let first: Vec<bool> = keys.iter().map(|key| hit(key)).collect();
        assert_eq!(first, keys.iter().map(|key| hit(key)).collect::<Vec<_>>());
        assert!(first.contains(&true) && first.contains(&false));
    }
}
