//! Tells the others when nothing more of a source will be sent.

use std::collections::BTreeSet;

use plaza_contracts::events::SourceSettled;
use plaza_database::DatabaseError;
use plaza_kernel::TenantId;
use plaza_messaging::outbox;

use crate::Notification;
use crate::messages::store;

/// Announces those of the sources that are settled. Called after the commit that may have settled them: whoever
/// committed last sees that nothing is open, so at least one announcement is made; more than one does no harm. A crash
/// before it is made up for by those who wait for it: they ask for the counts themselves now and then.
pub(crate) async fn announce(
    notification: &Notification,
    tenant: TenantId,
    sources: &BTreeSet<String>,
) -> Result<(), DatabaseError> {
    let inner = &notification.inner;
    for source in sources {
        let tx = inner.database.begin(tenant);
        if !store::is_open(&tx, source).await? {
            let by_state = store::counts(&tx, source).await?;
            let source = source.clone();
            outbox::append(&tx, &inner.clock, &SourceSettled { source, by_state }).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
