//! Which firing a run is for.

use chrono::{DateTime, Utc};
use plaza_database::{Transaction, statements};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ScheduleError;

statements! {
    /// Holds a firing until the transaction ends: whoever wants to take it up asks for the whole row and passes by.
    /// Renewing the lease is no obstacle, it changes no key.
    static HOLD: (String, i64, Uuid) => (bool,) =
        "SELECT true FROM schedules WHERE name = $1 AND fence = $2 AND holder = $3 FOR KEY SHARE";
}

/// One firing, as its work sees it.
#[derive(Debug, Clone)]
pub struct Due {
    /// The schedule's name.
    pub name: &'static str,
    /// When it was due. The same each time this firing is taken up, so work can recognise what it has done already.
    pub at: DateTime<Utc>,
    /// Rises with every taking. See [`Due::hold`].
    pub fence: i64,
    /// The how manieth time this firing is taken up, from 1.
    pub attempt: u32,
    /// How many firings before it this one stands for, or that were left out; counted up to 1000.
    pub missed: u32,
    /// Cancelled when the process is to end: work that takes long should then return [`ScheduleError::Stopped`].
    pub stop: CancellationToken,
    pub(crate) holder: Uuid,
}

impl Due {
    /// Makes this firing's loss impossible until the transaction ends. Call it first in every transaction that must not
    /// be done twice at the same time: a process that was frozen for longer than its lease lasts would otherwise go on
    /// writing beside its successor.
    ///
    /// # Errors
    /// [`ScheduleError::Lost`] when another process has taken the firing up: stop.
    pub async fn hold(&self, tx: &Transaction) -> Result<(), ScheduleError> {
        let ours = tx
            .optional(&HOLD, (self.name.to_owned(), self.fence, self.holder))
            .await?;
        ours.map(drop).ok_or(ScheduleError::Lost)
    }
}
