//! Holding a source back because its messages fail.

use plaza_contracts::events::SourceTripped;
use plaza_database::{DatabaseError, TenantTx};
use plaza_messaging::outbox;

use super::{Standing, TRIPPED, Trip, store};
use crate::{Notification, dispatch};

impl Notification {
    /// Holds a source back and tells the others, unless it does not go out anyway. A single message is no source that
    /// could be held.
    pub(crate) async fn trip(&self, tx: &TenantTx, source: &str, trip: &Trip) -> Result<(), DatabaseError> {
        if store::lock_known(tx, source).await? != Some(Standing::Active) {
            return Ok(());
        }
        store::change(tx, source, Standing::Held, Some(TRIPPED), trip.at).await?;
        store::note_trip(tx, source, trip).await?;
        tracing::warn!(
            source,
            class = trip.class,
            code = trip.code,
            failed = trip.failed,
            "source held back"
        );
        let tripped = SourceTripped {
            source: source.to_owned(),
            sender_id: trip.sender,
            class: trip.class.clone(),
            code: trip.code.clone(),
            failed: trip.failed,
            tried: trip.tried,
        };
        outbox::append(tx, &self.inner.clock, &tripped).await?;
        tx.signal_on_commit(dispatch::MOVED);
        Ok(())
    }
}
