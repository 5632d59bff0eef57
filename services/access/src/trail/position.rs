//! How far a check of all chains has come, as a text that a client hands back: `identity.<entry>.<place>~broadcast.…`, the chains
//! that are not at their end.

use std::collections::BTreeMap;

use plaza_audit::Progress;
use plaza_contracts::services::ALL;
use plaza_kernel::ServiceName;

/// Where each chain is to be gone on with; what is not here is at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Position(pub(super) BTreeMap<&'static str, Progress>);

impl Position {
    /// The beginning of all chains.
    pub(super) fn beginning() -> Self {
        Self(ALL.map(|service| (service.as_str(), Progress::default())).into())
    }

    /// Where to go on with a service's chain.
    pub(super) fn of(&self, service: ServiceName) -> Option<Progress> {
        self.0.get(service.as_str()).copied()
    }

    /// Reads what [`Position::to_text`] wrote; None for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let chains: Option<BTreeMap<_, _>> = text.split('~').map(chain).collect();
        chains.map(Self)
    }

    /// None at the end of all chains.
    pub(super) fn to_text(&self) -> Option<String> {
        let chain = |(service, at): (&&str, &Progress)| format!("{service}.{}.{}", at.entry.simple(), at.seq);
        let chains: Vec<String> = self.0.iter().map(chain).collect();
        (!chains.is_empty()).then(|| chains.join("~"))
    }
}

fn chain(text: &str) -> Option<(&'static str, Progress)> {
    let mut parts = text.split('.');
    let name = parts.next()?;
    let service = ALL.into_iter().find(|service| service.as_str() == name)?;
    let entry = parts.next()?.parse().ok()?;
    let seq = parts.next()?.parse().ok().filter(|seq| *seq >= 0)?;
    match parts.next() {
        None => Some((service.as_str(), Progress { entry, seq })),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::{BROADCAST, IDENTITY};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written_and_rubbish_is_none() {
        let at = Progress {
            entry: Uuid::from_u128(7),
            seq: 400,
        };
        let position = Position([(IDENTITY.as_str(), at), (BROADCAST.as_str(), Progress::default())].into());
        let text = position.to_text().unwrap();
        assert_eq!(Position::parse(&text), Some(position));
        assert_eq!(Position::default().to_text(), None);
        assert_eq!(Position::beginning().0.len(), ALL.len());
        for rubbish in [
            "",
            "identity",
            "nobody.00000000000000000000000000000007.1",
            "~",
            "identity.7.1",
            "identity.00000000000000000000000000000007.-1",
            &format!("{text}.1"),
        ] {
            assert_eq!(Position::parse(rubbish), None, "{rubbish}");
        }
    }
}
