//! Keys of yesterday are removed, those of today stay.

use plaza_once::with_tidying;
use plaza_schedule::Schedules;

use crate::keys::{Shop, key};

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
