//! Facts that happened, as services tell each other of them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

crate::typed_id!(
    /// The id of one event: consumers recognise a repetition by it.
    EventId
);

/// What an event is ordered by: events of one key are published and consumed in the order they were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrderKey(String);

impl OrderKey {
    /// A key of several parts.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Uuid>> From<T> for OrderKey {
    fn from(id: T) -> Self {
        Self(id.into().to_string())
    }
}

/// A versioned fact. The body on the wire is its JSON, as it stands.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name, which is the topic or routing key too: `tenant.created`.
    const NAME: &'static str;

    /// The version of the payload's shape.
    const VERSION: u16 = 1;

    /// What it is ordered by.
    fn order_key(&self) -> OrderKey;
}
