//! The inbox forgets, but not too early.

use crate::ledger::{BookKeeper, Street, quick};

#[tokio::test]
async fn the_inbox_forgets_after_fourteen_days() {
    let street = Street::open().await;
    let keeper = BookKeeper::diligent();
    let tenant = street.tenant();
    let (old, young) = (street.say(tenant, "a", 1).await, street.say(tenant, "a", 2).await);
    street.settle(&keeper).await;
    for (event, age) in [(old, "14 days 1 minute"), (young, "13 days")] {
        street
            .run(&format!(
                "UPDATE ledger.inbox SET done_at = now() - interval '{age}' WHERE event_id = '{event}'"
            ))
            .await;
    }

    street.messaging(&keeper, quick()).clean().await.unwrap();

    let left: Vec<String> = street
        .rows("SELECT event_id::text FROM ledger.inbox")
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(left, [young.to_string()]);
}
