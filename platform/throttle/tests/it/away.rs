//! Without a database each process counts for itself; nothing is unlimited.

use std::time::Duration;

use plaza_database::{DatabaseLimits, DatabaseSettings, Databases, Login};
use plaza_kernel::Clock;
use plaza_throttle::Throttle;

use crate::limits::{SHOP, rule};

/// A database that nobody can reach.
fn away() -> Throttle {
    let settings = DatabaseSettings {
        url: "postgresql://127.0.0.1:1/nowhere".into(),
        role_key: "the key of an installation of tests".into(),
        shared: 1,
        exclusive: 1,
        system: 1,
    };
    let limits = DatabaseLimits {
        connect: Duration::from_millis(200),
        transaction_wait: Duration::from_millis(200),
        ..DatabaseLimits::default()
    };
    let databases = Databases::with_limits(settings, limits).unwrap();
    Throttle::new(databases.of(SHOP, Login::default()).unwrap(), Clock::system())
}

#[tokio::test]
async fn the_same_numbers_hold_in_this_process() {
    let throttle = away();
    let mut passed = 0;
    for _ in 0..8 {
        passed += u32::from(throttle.take(&[rule("a", 3)]).await.is_ok());
    }
    assert_eq!(passed, 3);
    assert!(throttle.take(&[rule("b", 3)]).await.is_ok());
    throttle.forget("a").await;
    assert!(throttle.take(&[rule("a", 3)]).await.is_ok());
}
