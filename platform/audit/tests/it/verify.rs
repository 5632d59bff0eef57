//! Whatever is changed, added or taken away shows.

use plaza_audit::{Broken, Fault, Progress, Verified, anchor, anchored_at, holders, verify_some};
use plaza_kernel::Scope;
use plaza_testkit::callers;

use crate::shop::Shop;

fn fault(broken: Option<Broken>) -> Option<(i64, Fault)> {
    broken.map(|broken| (broken.seq, broken.fault))
}

#[tokio::test]
async fn a_changed_entry_is_found_whichever_column_it_is() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let ids = shop.priced_and_chained(tenant, 5).await;
    assert!(shop.verify(tenant).await.is_whole());
    for (column, other) in [
        ("at", "at + interval '1 microsecond'"),
        ("actor_kind", "'operator'"),
        ("actor", "gen_random_uuid()"),
        ("actor_role", "NULL"),
        ("request_id", "'another'"),
        ("action", "'things.sell'"),
        ("target_kind", "'person'"),
        ("target", "'thing-2'"),
        ("outcome", "'denied'"),
        ("before", "NULL"),
        ("after", "'{\"price\": 100}'"),
    ] {
        shop.tamper("CREATE TABLE kept AS SELECT * FROM shop.audit").await;
        shop.tamper(&format!(
            "UPDATE shop.audit SET {column} = {other} WHERE id = '{}'",
            ids[2]
        ))
        .await;
        let verified = shop.verify(tenant).await;
        assert_eq!(fault(verified.broken), Some((3, Fault::Changed)), "{column}");
        shop.tamper(&format!(
            "UPDATE shop.audit a SET {column} = k.{column} FROM kept k WHERE a.id = k.id"
        ))
        .await;
        shop.database
            .admin()
            .await
            .batch_execute("DROP TABLE kept")
            .await
            .unwrap();
        assert!(shop.verify(tenant).await.is_whole(), "{column}");
    }
}

#[tokio::test]
async fn a_removed_entry_is_found_with_and_without_its_link() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let ids = shop.priced_and_chained(tenant, 5).await;
    shop.tamper(&format!("DELETE FROM shop.audit WHERE id = '{}'", ids[1]))
        .await;
    assert_eq!(fault(shop.verify(tenant).await.broken), Some((2, Fault::Removed)));
    shop.tamper(&format!(
        "DELETE FROM shop.audit_chain WHERE entry = '{}'",
        ids[1]
    ))
    .await;
    assert_eq!(fault(shop.verify(tenant).await.broken), Some((3, Fault::Gap)));
    // With the places closed up it is the hash that does not fit.
    shop.tamper("UPDATE shop.audit_chain SET seq = seq - 1 WHERE seq > 2")
        .await;
    assert_eq!(fault(shop.verify(tenant).await.broken), Some((2, Fault::Changed)));
}

#[tokio::test]
async fn an_entry_that_was_gone_before_it_was_chained_is_missed() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let id = shop.price(tenant, 1).await;
    shop.tamper(&format!("DELETE FROM shop.audit WHERE id = '{id}'"))
        .await;
    shop.chainer().chain_due().await.unwrap();
    assert_eq!(fault(shop.verify(tenant).await.broken), Some((1, Fault::Removed)));
}

#[tokio::test]
async fn an_entry_that_nobody_recorded_is_late_for_ever() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    shop.priced_and_chained(tenant, 1).await;
    shop.price(tenant, 2).await;
    let verified = shop.verify(tenant).await;
    assert_eq!((verified.unchained, verified.late), (1, 0));
    assert_eq!(verified.first_late, None);
    assert!(verified.is_whole(), "it will be chained");
    shop.tamper(&format!(
        "INSERT INTO shop.audit (tenant_id, id, at, actor_kind, action, target_kind, outcome)
         VALUES ('{tenant}', gen_random_uuid(), now() - interval '2 minutes', 'operator', 'things.price', 'thing', 'done')"
    ))
    .await;
    shop.chainer().chain_due().await.unwrap();
    let verified = shop.verify(tenant).await;
    assert_eq!((verified.unchained, verified.late), (1, 1));
    assert!(verified.first_late.is_some() && !verified.is_whole());
}

#[tokio::test]
async fn an_entry_given_to_another_tenant_is_missed_where_it_was() {
    let shop = Shop::open().await;
    let (ours, theirs) = (callers::tenant(), callers::tenant());
    let ids = shop.priced_and_chained(ours, 2).await;
    shop.tamper(&format!(
        "UPDATE shop.audit SET tenant_id = '{theirs}' WHERE id = '{}'",
        ids[0]
    ))
    .await;
    assert_eq!(fault(shop.verify(ours).await.broken), Some((1, Fault::Removed)));
}

#[tokio::test]
async fn a_chain_of_more_than_a_page_is_walked_to_its_end() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let tx = shop.own().begin(tenant);
    for price in 0..900 {
        plaza_audit::record(&tx, &shop.clock, crate::shop::entry(price))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    shop.chainer().chain_due().await.unwrap();
    let verified = shop.verify(tenant).await;
    assert!(verified.is_whole() && verified.entries == 900, "{verified:?}");
    shop.tamper(
        "UPDATE shop.audit SET target = 'x' WHERE id = (SELECT entry FROM shop.audit_chain WHERE seq = 850)",
    )
    .await;
    assert_eq!(
        fault(shop.verify(tenant).await.broken),
        Some((850, Fault::Changed))
    );
}

#[tokio::test]
async fn piece_by_piece_the_same_is_found_as_at_once() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    let tx = shop.own().begin(tenant);
    for price in 0..1_300 {
        plaza_audit::record(&tx, &shop.clock, crate::shop::entry(price))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    shop.chainer().chain_due().await.unwrap();
    let in_pieces = async || {
        let (mut all, mut from, mut pieces) = (Verified::default(), Some(Progress::default()), 0);
        while let Some(progress) = from {
            let piece = verify_some(&shop.own(), &shop.clock, tenant.into(), progress, 1).await;
            let (piece, next) = piece.unwrap();
            (all, from, pieces) = (all.and(piece), next, pieces + 1);
        }
        assert!(pieces > 3, "only {pieces} pieces");
        all
    };
    let whole = in_pieces().await;
    assert!(whole.is_whole() && whole.entries == 1_300, "{whole:?}");
    assert_eq!(whole, shop.verify(tenant).await);
    // The first link of a piece, the last one of a piece, and one that nobody recorded.
    for seq in [801, 400] {
        shop.tamper(&format!(
            "UPDATE shop.audit SET target = 'x' WHERE id = (SELECT entry FROM shop.audit_chain WHERE seq = {seq})"
        ))
        .await;
        let found = in_pieces().await;
        assert_eq!(fault(found.broken), Some((seq, Fault::Changed)));
        assert_eq!(found, shop.verify(tenant).await);
    }
    shop.tamper(&format!(
        "INSERT INTO shop.audit (tenant_id, id, at, actor_kind, action, target_kind, outcome)
         VALUES ('{tenant}', 'ffffffff-ffff-7fff-bfff-ffffffffffff', now() - interval '2 minutes', 'operator',
                 'things.price', 'thing', 'done')"
    ))
    .await;
    let found = in_pieces().await;
    assert_eq!((found.late, found.first_late), (1, Some(INSERTED)));
}

/// The id of an entry that nobody recorded.
const INSERTED: uuid::Uuid = uuid::Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

#[tokio::test]
async fn a_chain_whose_end_was_cut_off_does_not_fit_its_anchor() {
    let shop = Shop::open().await;
    let (ours, theirs) = (callers::tenant(), callers::tenant());
    shop.priced_and_chained(ours, 5).await;
    shop.priced_and_chained(theirs, 1).await;
    let noted = anchor(&shop.own()).await.unwrap();
    assert_eq!(noted.chains, 2);
    // What comes later changes nothing about it.
    shop.priced_and_chained(ours, 3).await;
    assert_eq!(anchored_at(&shop.own(), noted.at).await.unwrap(), noted);

    shop.tamper(&format!(
        "WITH cut AS (DELETE FROM shop.audit_chain WHERE tenant_id = '{ours}' AND seq >= 5 RETURNING entry)
         DELETE FROM shop.audit WHERE id IN (SELECT entry FROM cut)"
    ))
    .await;
    assert!(shop.verify(ours).await.is_whole(), "by itself it looks whole");
    assert_ne!(
        anchored_at(&shop.own(), noted.at).await.unwrap().digest,
        noted.digest
    );
}

#[tokio::test]
async fn everybody_with_an_audit_is_known() {
    let shop = Shop::open().await;
    let tenant = callers::tenant();
    shop.priced_and_chained(tenant, 1).await;
    let other = callers::tenant();
    shop.price(other, 1).await;
    let all = holders(&shop.own()).await.unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(
        all.contains(&Scope::from(tenant)) && all.contains(&other.into()),
        "{all:?}"
    );
}
