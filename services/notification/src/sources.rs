//! Sources: what somebody asked messages for, and whether they go out. No I/O here.
//!
//! A change is one row, and from its commit on nothing more of the source is claimed: the statement that claims looks at
//! it. Its messages follow (`dispatch/moving.rs`), because a queue whose head is held would be looked through by every
//! claim: those of a held source are put a thousand years off, those of a cancelled one are cancelled.

pub(crate) mod change;
mod failing;
pub(crate) mod report;
pub(crate) mod retry;
pub(crate) mod store;
mod trip;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use serde::{Deserialize, Serialize};

/// Whether the messages of a source go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They do.
    Active,
    /// They wait until it is released.
    Held,
    /// Those that are not with the provider yet never will be.
    Cancelled,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Active, Self::Held, Self::Cancelled];

    /// The name on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a source that stands so may come to stand otherwise. What is called off stays so.
    pub(crate) fn may_become(self, next: Self) -> bool {
        self != Self::Cancelled || next == Self::Cancelled
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a [`Standing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a standing of a source")]
pub(crate) struct UnknownStanding;

impl FromStr for Standing {
    type Err = UnknownStanding;

    fn from_str(text: &str) -> Result<Self, UnknownStanding> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.as_str() == text)
            .ok_or(UnknownStanding)
    }
}

/// Why a source is held where nobody said why.
pub(crate) const ASKED: &str = "HELD";

/// Why a source is held that too many failures stopped.
pub(crate) const TRIPPED: &str = "TRIPPED";

/// What stopped a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trip {
    /// The account that the messages went out from.
    pub(crate) sender: SenderId,
    /// What sort of failure.
    pub(crate) class: String,
    /// The provider's code.
    pub(crate) code: String,
    /// How many failed so …
    pub(crate) failed: u64,
    /// … of how many.
    pub(crate) tried: u64,
    /// When.
    pub(crate) at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_off_stays_so() {
        for next in Standing::ALL {
            assert!(Standing::Active.may_become(next) && Standing::Held.may_become(next));
            assert_eq!(Standing::Cancelled.may_become(next), next == Standing::Cancelled);
        }
    }

    #[test]
    fn names_are_read_back() {
        for standing in Standing::ALL {
            assert_eq!(standing.as_str().parse(), Ok(standing));
        }
        assert_eq!("paused".parse::<Standing>(), Err(UnknownStanding));
    }
}
