//! What time leaves behind of addresses: what says nothing any more, removed every night, once across the fleet.

use std::time::Duration;

use plaza_database::statements;
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError};

use crate::Notification;

/// How many rows one statement removes: short locks, and a stop is never far.
const BATCH: u64 = 1_000;

/// At night in Europe, when few messages are sent. Nothing depends on when it is done.
pub(crate) const TIDY: Schedule = Schedule {
    name: "notification.tidy_contacts",
    cron: "51 2 * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(3_600),
};

statements! {
    // Caps look back for seven days, and nobody is thought to be gone for longer than ninety.
    system static CONTACTS: (i64,) => () =
        "DELETE FROM notification.contacts c
          USING (SELECT tenant_id, channel, address_key FROM notification.contacts
                  WHERE coalesce(unreachable_at, '-infinity') < now() - interval '90 days'
                    AND NOT EXISTS (SELECT FROM unnest(sent_at) AS at WHERE at > now() - interval '7 days')
                  LIMIT $1 FOR UPDATE SKIP LOCKED) AS old
          WHERE c.tenant_id = old.tenant_id AND c.channel = old.channel AND c.address_key = old.address_key";
    // Kept only so that a word from before is not heard after it. Providers repeat themselves for a week.
    system static TAKEN_BACK: (i64,) => () =
        "DELETE FROM notification.opt_outs o
          USING (SELECT tenant_id, id FROM notification.opt_outs
                  WHERE NOT stands AND said_at < now() - interval '30 days'
                  LIMIT $1 FOR UPDATE SKIP LOCKED) AS old
          WHERE o.tenant_id = old.tenant_id AND o.id = old.id";
}

impl Notification {
    /// Removes what says nothing any more. Told to stop it leaves the rest to whoever takes the firing up.
    pub(crate) async fn tidy_contacts(self, due: Due) -> Result<(), ScheduleError> {
        for statement in [&CONTACTS, &TAKEN_BACK] {
            loop {
                if due.stop.is_cancelled() {
                    return Err(ScheduleError::Stopped);
                }
                let tx = self.inner.database.begin_system();
                if tx.execute_and_commit(statement, (BATCH as i64,)).await? < BATCH {
                    break;
                }
            }
        }
        Ok(())
    }
}
