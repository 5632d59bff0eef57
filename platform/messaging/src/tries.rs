//! How often an event of a broker was tried, where the broker cannot tell.
//!
//! A broker counts deliveries: a message that was only held when its process ended counts as one that killed it. So the
//! tries of a message that was delivered before are counted here, before they begin. The first delivery costs nothing and
//! leaves nothing: whether it was a try is told by how its reader ended (`rabbitmq/reading.rs`).

use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::{EventId, TenantId};

use crate::waiting::Place;

statements! {
    /// One more try begins; says which one of this stay in the queue it is.
    static BEGIN: (TenantId, String, EventId, i32, i32) => (i32,) =
        "INSERT INTO tries AS t (tenant_id, consumer, event_id, before, begun, noted_at)
         VALUES ($1, $2, $3, $4, $5 + 1, now())
             ON CONFLICT (tenant_id, consumer, event_id) DO UPDATE
            SET before = excluded.before,
                begun = CASE WHEN t.before = excluded.before THEN t.begun + 1 ELSE excluded.begun END,
                noted_at = excluded.noted_at
         RETURNING begun";

    /// The count is not needed any more.
    static FORGET: (TenantId, String, EventId) => () =
        "DELETE FROM tries WHERE tenant_id = $1 AND consumer = $2 AND event_id = $3";
}

/// Counts one more try of an event that came into the queue after so many, and of which so many were not counted since.
/// Says which one it is of all.
pub(crate) async fn begin(
    database: &Database,
    place: &Place,
    before: i32,
    uncounted: i32,
) -> Result<i32, DatabaseError> {
    let (tenant, consumer, event) = place.named();
    let tx = database.begin(tenant);
    let (begun,) = tx
        .one(&BEGIN, (tenant, consumer, event, before, uncounted))
        .await?;
    tx.commit().await?;
    Ok(before.saturating_add(begun))
}

/// Forgets the count of an event in the transaction of its effect.
pub(crate) async fn end(tx: &TenantTx, place: &Place) -> Result<(), DatabaseError> {
    tx.execute(&FORGET, place.named()).await?;
    Ok(())
}

/// Forgets the count of an event that left its queue: whatever it became carries its number.
pub(crate) async fn forget(database: &Database, place: &Place) -> Result<(), DatabaseError> {
    database
        .begin(place.tenant)
        .execute_and_commit(&FORGET, place.named())
        .await?;
    Ok(())
}
