//! Requests that a client may repeat: whose they are, and under which key.

use plaza_database::TenantTx;
use plaza_kernel::{OnceKey, UserId};
use plaza_once::{Entry, OnceError};

/// Who asks, and the key that this very request may be repeated under. Other services repeat nothing.
#[derive(Debug, Clone)]
pub struct Repeatable {
    by: Option<UserId>,
    key: OnceKey,
}

impl Repeatable {
    /// A person's request.
    pub fn of(person: UserId, key: OnceKey) -> Self {
        Self {
            by: Some(person),
            key,
        }
    }

    /// A request that has its effect each time.
    pub const fn never() -> Self {
        Self {
            by: None,
            key: OnceKey::NONE,
        }
    }

    /// Whether it has a key.
    pub(crate) fn has_key(&self) -> bool {
        self.by.is_some() && self.key.0.is_some()
    }

    /// Takes its key in the transaction of its effect.
    pub(crate) async fn enter(&self, tx: &TenantTx, operation: &'static str) -> Result<Entry, OnceError> {
        match self.by {
            Some(person) => plaza_once::enter(tx, &self.key, person, operation).await,
            None => Ok(Entry::None),
        }
    }
}
