use std::time::Duration;

use chrono::TimeDelta;
use plaza_contracts::services::IDENTITY;
use plaza_identity::IdentityConfig;
use plaza_schedule::{ScheduleSettings, Scheduler};
use plaza_testkit::eventually;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::house::{House, Tokens};

#[tokio::test]
async fn what_has_expired_is_removed_at_night_and_what_lives_is_kept() {
    let house = House::open().await;
    let tenant = house.tenant("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    house.administrator("root@example.org").await;
    house.owner_link(tenant).await.unwrap();
    house.forgot("bob@example.org").await;
    Tokens::of(house.log_in("bob@example.org").await);
    Tokens::of(house.log_in("root@example.org").await);
    house.time.advance(TimeDelta::days(38));
    let alive = Tokens::of(house.log_in("bob@example.org").await);

    let scheduler = Scheduler::new(
        house.database.of(IDENTITY),
        house.identity.schedules(),
        house.clock.clone(),
        ScheduleSettings::default(),
    );
    assert_eq!(scheduler.run_due().await.unwrap(), 0, "not before the night");
    // The schedule's time is the database's: the night comes when the row says that it has come.
    house
        .database
        .admin()
        .await
        .execute("UPDATE identity.schedules SET next_at = now()", &[])
        .await
        .unwrap();
    assert_eq!(scheduler.run_due().await.unwrap(), 4);
    let states = scheduler.state().await.unwrap();
    let mut done: Vec<_> = states
        .iter()
        .filter(|state| state.last_outcome.as_deref() == Some("done"))
        .map(|state| state.name.as_str())
        .collect();
    done.sort_unstable();
    assert_eq!(
        done,
        ["identity.rewrap", "identity.tidy", "once.tidy", "throttle.tidy"]
    );

    let left =
        "SELECT (SELECT count(*) FROM identity.refresh_tokens) + (SELECT count(*) FROM identity.sessions)
                     + (SELECT count(*) FROM identity.platform_refresh_tokens)
                     + (SELECT count(*) FROM identity.platform_sessions)
                     + (SELECT count(*) FROM identity.one_time_tokens)
                     + (SELECT count(*) FROM identity.proofs)";
    assert_eq!(house.count(left).await, 2);
    assert!(house.stands(&alive.caller()).await);
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 3);
}

#[tokio::test]
async fn every_process_finds_the_signing_key_of_the_day_by_itself() {
    let house = House::with(IdentityConfig {
        signing_key_check_seconds: 1,
        ..IdentityConfig::default()
    })
    .await;
    house.identity.prepare().await.unwrap();
    house.time.advance(TimeDelta::days(31));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    house.identity.start(&tasks, stop.clone());
    let keys = "SELECT count(*) FROM identity.signing_keys";
    eventually(Duration::from_secs(20), || async { house.count(keys).await == 2 }).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
