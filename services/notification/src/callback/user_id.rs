//! A person whom the provider calls otherwise than before.

use serde::Deserialize;

use crate::providers::is_provider_id;

/// An item of `user_id_update`.
#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) user_id: Renamed,
}

/// The provider's id of a person, before and now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Renamed {
    pub(crate) previous: String,
    pub(crate) current: String,
}

impl Renamed {
    /// Whether both are ids.
    pub(super) fn is_one(&self) -> bool {
        is_provider_id(&self.previous) && is_provider_id(&self.current)
    }
}
