use std::time::Duration;

use chrono::TimeDelta;
use plaza_identity::IdentityConfig;
use plaza_testkit::eventually;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::house::{House, Tokens};

#[tokio::test]
async fn what_has_expired_is_removed_and_what_lives_is_kept() {
    let house = House::with(IdentityConfig {
        housekeeping_seconds: 1,
        ..IdentityConfig::default()
    })
    .await;
    let tenant = house.tenant("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    house.administrator("root@example.org").await;
    house.owner_link(tenant).await.unwrap();
    Tokens::of(house.log_in("bob@example.org").await);
    Tokens::of(house.log_in("root@example.org").await);
    house.time.advance(TimeDelta::days(38));
    let alive = Tokens::of(house.log_in("bob@example.org").await);

    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    house.identity.start(&tasks, stop.clone());
    let left =
        "SELECT (SELECT count(*) FROM identity.refresh_tokens) + (SELECT count(*) FROM identity.sessions)
                     + (SELECT count(*) FROM identity.platform_refresh_tokens)
                     + (SELECT count(*) FROM identity.platform_sessions)
                     + (SELECT count(*) FROM identity.one_time_tokens)";
    eventually(Duration::from_secs(20), || async { house.count(left).await == 2 }).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(house.stands(&alive.caller()).await);
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 3);
}
