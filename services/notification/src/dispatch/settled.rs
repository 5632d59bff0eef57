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
/// before it is made up for by those who wait for it: they ask themselves now and then. So is a source that cannot be
/// counted; it does not keep the others from being announced.
pub(crate) async fn announce(
    notification: &Notification,
    tenant: TenantId,
    sources: &BTreeSet<String>,
) -> Result<(), DatabaseError> {
    let mut announced = Ok(());
    for source in sources {
        if let Err(error) = announce_one(notification, tenant, source).await {
            announced = Err(error);
        }
    }
    announced
}

async fn announce_one(
    notification: &Notification,
    tenant: TenantId,
    source: &str,
) -> Result<(), DatabaseError> {
    let inner = &notification.inner;
    if store::open(&inner.database, tenant, source.to_owned()).await? {
        return Ok(());
    }
    // Counting takes long where there are many messages: it must not take the connections of those who send.
    let _turn = inner.counting.take(tenant).await;
    let tx = inner.database.begin(tenant);
    if !store::is_open(&tx, source).await? {
        let by_state = store::counts(&tx, source).await?;
        let source = source.to_owned();
        outbox::append(&tx, &inner.clock, &SourceSettled { source, by_state }).await?;
    }
    tx.commit().await
}
