//! Keys of yesterday are removed, those of today stay.

use std::time::Duration;

use plaza_kernel::OnceKey;
use plaza_once::{Entry, enter, with_tidying};
use plaza_schedule::Schedules;
use plaza_testkit::eventually;
use serde_json::json;

use crate::keys::{ROUTE, Shop, key};

#[tokio::test]
async fn the_schedule_is_declared_once_in_each_service() {
    let shop = Shop::open().await;
    let schedules = with_tidying(Schedules::new(), &shop.database);
    let names: Vec<&str> = schedules.names().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["once.tidy"]);
}

#[tokio::test]
async fn what_is_older_than_a_day_is_removed() {
    let shop = Shop::open().await;
    for name in ["old", "new"] {
        shop.order(&key(name, 1)).await.unwrap();
    }
    let admin = shop.test.admin().await;
    let aged = "UPDATE shop.once SET created_at = created_at - interval '25 hours'
                 WHERE key_hash = sha256('old')";
    assert_eq!(admin.execute(aged, &[]).await.unwrap(), 1);
    assert_eq!(plaza_once::tidy(&shop.database).await.unwrap(), 1);
    assert_eq!(plaza_once::tidy(&shop.database).await.unwrap(), 0);
    assert!(!shop.order(&key("new", 1)).await.unwrap());
    assert!(shop.order(&key("old", 1)).await.unwrap());
}

#[tokio::test]
async fn an_old_key_that_is_just_taken_anew_stays() {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let shop = Shop::open().await;
    let nightly: OnceKey = key("nightly", 1);
    shop.order(&nightly).await.unwrap();
    let admin = shop.test.admin().await;
    let aged = "UPDATE shop.once SET created_at = created_at - interval '25 hours'";
    assert_eq!(admin.execute(aged, &[]).await.unwrap(), 1);
    let tx = shop.begin();
    let entry = enter(&tx, &nightly, shop.actor, ROUTE).await.unwrap();
    assert!(
        matches!(entry, Entry::Fresh(_)),
        "a day later it is another request"
    );
    let overtaken = async {
        eventually(Duration::from_secs(30), || async {
            admin.query_one(WAITING, &[]).await.unwrap().get::<_, i64>(0) > 0
        })
        .await;
        entry.leave(&tx, 201, &json!({"order": 7})).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (removed, ()) = tokio::join!(plaza_once::tidy(&shop.database), overtaken);
    assert_eq!(removed.unwrap(), 0);
    assert!(!shop.order(&nightly).await.unwrap(), "its answer is there");
}
