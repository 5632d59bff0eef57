//! A tenant with very much to chain keeps no other waiting.

use plaza_audit::record;
use plaza_testkit::callers;

use crate::shop::{Shop, entry};

#[tokio::test]
async fn a_tenant_with_much_to_chain_takes_its_turn_with_the_others() {
    let shop = Shop::open().await;
    let (busy, quiet) = (callers::tenant(), callers::tenant());
    let tx = shop.own().begin(busy);
    for price in 0..250 {
        record(&tx, &shop.clock, entry(price)).await.unwrap();
    }
    tx.commit().await.unwrap();
    shop.price(quiet, 1).await;

    shop.chainer().chain_once().await.unwrap();
    let verified = shop.verify(quiet).await;
    assert_eq!(
        (verified.entries, verified.unchained),
        (1, 0),
        "the quiet one had its turn"
    );
    let verified = shop.verify(busy).await;
    assert_eq!(
        (verified.entries, verified.unchained),
        (100, 150),
        "the busy one had a turn, no more"
    );
    shop.chainer().chain_due().await.unwrap();
    assert_eq!(shop.verify(busy).await.entries, 250);
}

#[tokio::test]
async fn with_more_tenants_than_a_round_takes_all_have_their_turn() {
    let shop = Shop::open().await;
    let tenants: Vec<_> = (0..70).map(|_| callers::tenant()).collect();
    for tenant in &tenants {
        shop.price(*tenant, 1).await;
    }
    // The first of all gets more meanwhile. (Those of one millisecond are in no order.)
    let first = tenants.iter().min_by_key(|tenant| tenant.as_uuid()).unwrap();
    let chainer = shop.chainer();
    assert_eq!(chainer.chain_once().await.unwrap(), 64);
    shop.price(*first, 2).await;
    assert_eq!(chainer.chain_once().await.unwrap(), 6, "the others come first");
    assert_eq!(chainer.chain_once().await.unwrap(), 1);
}
