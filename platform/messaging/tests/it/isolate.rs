//! A consumer works in its event's tenant, and the service's login can do no more than it needs.

use plaza_database::statements;
use plaza_kernel::TenantId;
use plaza_messaging::outbox;

use crate::ledger::{BookKeeper, Counted, Street};

statements! {
    static FORGE: (TenantId,) => () =
        "INSERT INTO outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
         VALUES (gen_random_uuid(), $1, 'a', 'shop.counted', 1, 'shop', '{}', now())";
    static READ_OUTBOX: () => (i64,) = "SELECT count(*) FROM outbox";
    static READ_BODIES: () => (String,) = "SELECT payload FROM deliveries";
    static DELETE_DELIVERIES: () => () = "DELETE FROM deliveries WHERE id > 0";
    static TAKE_LEASE: () => () = "UPDATE leases SET until = now()";
}

#[tokio::test]
async fn a_consumer_sees_the_rows_of_its_events_tenant_only() {
    let street = Street::open().await;
    let (acme, rival) = (street.tenant(), street.tenant());
    let keeper = BookKeeper::diligent();
    for n in 0..3 {
        street.say(acme, "a", n).await;
    }
    street.settle(&keeper).await;
    street.say(rival, "r", 1).await;
    street.settle(&keeper).await;

    // Each time it counted after its own entry: the rival's consumer saw its one, not acme's three.
    assert_eq!(*keeper.entries_seen.lock().unwrap(), [1, 2, 3, 1]);
}

#[tokio::test]
async fn an_event_of_another_tenant_cannot_be_written() {
    let street = Street::open().await;
    let (acme, rival) = (street.tenant(), street.tenant());
    assert!(street.shop.begin(acme).execute(&FORGE, (rival,)).await.is_err());
    assert!(
        street
            .shop
            .begin_platform()
            .execute(&FORGE, (rival,))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_services_login_neither_reads_events_nor_touches_deliveries_of_others() {
    let street = Street::open().await;
    let (acme, rival) = (street.tenant(), street.tenant());
    street
        .run(&format!(
            "INSERT INTO ledger.deliveries
                 (consumer, event_id, tenant_id, key, name, version, source, payload, created_at)
             VALUES ('ledger.book', gen_random_uuid(), '{rival}', 'a', 'shop.counted', 1, 'shop', '{{}}', now())"
        ))
        .await;

    assert!(street.ledger.begin(acme).all(&READ_OUTBOX, ()).await.is_err());
    assert!(street.ledger.begin(acme).all(&READ_BODIES, ()).await.is_err());
    assert!(street.ledger.begin(acme).execute(&TAKE_LEASE, ()).await.is_err());
    let tx = street.ledger.begin(acme);
    assert_eq!(tx.execute(&DELETE_DELIVERIES, ()).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(street.pending().await.1.deliveries, 1);
}

#[tokio::test]
async fn the_source_of_an_event_is_the_service_that_wrote_it() {
    let street = Street::open().await;
    let tx = street.ledger.begin(street.tenant());
    outbox::append(
        &tx,
        &street.clock,
        &Counted {
            key: "a".to_owned(),
            n: 1,
        },
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();

    let source: String = street.rows("SELECT source FROM ledger.outbox").await[0].get(0);
    assert_eq!(source, "ledger");
}
