//! Permits are counted by the database: for all processes, and exactly.

use std::time::Duration;

use futures_util::future::join_all;
use plaza_database::{DatabaseLimits, Databases, Login, Schema};
use plaza_kernel::{Clock, Failure, Kind, ServiceName};
use plaza_schedule::Schedules;
use plaza_testkit::TestDatabase;
use plaza_throttle::{Ladder, Rule, Throttle, tidy, with_tidying};

pub(crate) const SHOP: ServiceName = ServiceName::new("shop");
/// So long that none comes back while a test runs.
const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn schema() -> Schema {
    Schema::new(SHOP, &[])
        .with(plaza_schedule::migrations())
        .with(plaza_throttle::migrations())
}

pub(crate) fn rule(label: &str, burst: u32) -> Rule<'_> {
    Rule {
        policy: "login",
        label,
        burst,
        per: HOUR,
    }
}

fn ladder(label: &str) -> Ladder<'_> {
    Ladder {
        policy: "password",
        label,
        free: 3,
        first: Duration::from_secs(60),
        most: HOUR,
        memory: 24 * HOUR,
    }
}

struct Gate {
    test: TestDatabase,
    throttle: Throttle,
}

impl Gate {
    async fn open() -> Self {
        let test = TestDatabase::fresh(&[schema()]).await;
        // Hundreds at once have to wait for each other here, not to be counted elsewhere.
        let limits = DatabaseLimits {
            transaction_wait: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(60),
            ..DatabaseLimits::default()
        };
        let databases = Databases::with_limits(test.settings(), limits).unwrap();
        let database = databases.of(SHOP, Login::default()).unwrap();
        let throttle = Throttle::new(database, Clock::system());
        Self { test, throttle }
    }

    /// Lets so much time pass: every row is so much older.
    async fn pass(&self, time: Duration) {
        let text = "UPDATE shop.throttle SET tat = tat - make_interval(secs => $1),
                                             forgotten_at = forgotten_at - make_interval(secs => $1)";
        let admin = self.test.admin().await;
        admin.execute(text, &[&time.as_secs_f64()]).await.unwrap();
    }

    /// How many of so many tries, one after the other, are let through.
    async fn passed(&self, tries: u32, rules: &[Rule<'_>]) -> u32 {
        let mut passed = 0;
        for _ in 0..tries {
            passed += u32::from(self.throttle.take(rules).await.is_ok());
        }
        passed
    }
}

#[tokio::test]
async fn of_four_hundred_at_once_exactly_as_many_pass_as_may() {
    let gate = Gate::open().await;
    let rules = [rule("a", 10)];
    let all = join_all((0..400).map(|_| gate.throttle.take(&rules))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 10);
}

#[tokio::test]
async fn permits_come_back_one_by_one() {
    let gate = Gate::open().await;
    assert_eq!(gate.passed(12, &[rule("a", 10)]).await, 10);
    let refused = gate.throttle.take(&[rule("a", 10)]).await.unwrap_err();
    // One in six minutes.
    assert!((300..=360).contains(&refused.retry_after), "{refused:?}");
    gate.pass(Duration::from_secs(361)).await;
    assert_eq!(gate.passed(3, &[rule("a", 10)]).await, 1);
    gate.pass(2 * HOUR).await;
    assert_eq!(gate.passed(12, &[rule("a", 10)]).await, 10);
}

#[tokio::test]
async fn a_refusal_says_which_limit_and_when_to_come_again() {
    let gate = Gate::open().await;
    assert_eq!(gate.passed(1, &[rule("a", 1)]).await, 1);
    let refused = gate.throttle.take(&[rule("a", 1)]).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Throttled, "THROTTLED"));
    assert_eq!(refused.retry_after(), Some(refused.retry_after));
    let limits = refused.limits().unwrap();
    assert_eq!((limits.policy, limits.quota), ("login", 1));
    assert_eq!((limits.window_seconds, limits.remaining), (3600, 0));
    assert_eq!(limits.reset_seconds, refused.retry_after);
}

#[tokio::test]
async fn who_is_refused_by_one_limit_is_not_counted_by_another() {
    let gate = Gate::open().await;
    let both = [rule("everybody", 3), rule("one", 1)];
    assert_eq!(gate.passed(20, &both).await, 1);
    assert_eq!(gate.passed(20, &[rule("everybody", 3)]).await, 2);
}

#[tokio::test]
async fn limits_that_are_taken_in_any_order_never_wait_for_each_other_for_ever() {
    let gate = Gate::open().await;
    let (a, b) = (rule("a", 1_000), rule("b", 1_000));
    let (one_way, other_way) = ([a, b], [b, a]);
    let takes = (0..200).map(|at| match at % 2 {
        0 => gate.throttle.take(&one_way),
        _ => gate.throttle.take(&other_way),
    });
    let all = join_all(takes).await;
    assert!(all.iter().all(Result::is_ok));
    // All were counted in the database: 800 are left.
    let rest = join_all((0..801).map(|_| gate.throttle.take(&one_way[..1]))).await;
    assert_eq!(rest.iter().filter(|one| one.is_ok()).count(), 800);
}

#[tokio::test]
async fn a_label_that_is_named_twice_is_taken_from_once() {
    let gate = Gate::open().await;
    assert_eq!(gate.passed(5, &[rule("a", 3), rule("a", 3)]).await, 3);
}

#[tokio::test]
async fn nothing_to_take_is_never_refused() {
    let gate = Gate::open().await;
    assert_eq!(gate.passed(3, &[]).await, 3);
}

#[tokio::test]
async fn tries_that_fail_make_growing_pauses() {
    let gate = Gate::open().await;
    let attempt = async || {
        gate.throttle
            .attempt(&[], &ladder("ada"))
            .await
            .map_err(|refused| refused.retry_after)
    };
    for _ in 0..3 {
        assert_eq!(attempt().await, Ok(()));
    }
    for pause in [60, 120, 240, 480] {
        let told = attempt().await.unwrap_err();
        assert!((pause - 30..=pause).contains(&told), "{told} of {pause}");
        gate.pass(Duration::from_secs(pause.into())).await;
        assert_eq!(attempt().await, Ok(()));
    }
    gate.throttle.forget("ada").await;
    for _ in 0..3 {
        assert_eq!(attempt().await, Ok(()));
    }
    assert!(attempt().await.is_err());
}

#[tokio::test]
async fn of_a_hundred_tries_at_once_no_more_are_made_than_are_free() {
    let gate = Gate::open().await;
    let ladder = ladder("ada");
    let all = join_all((0..100).map(|_| gate.throttle.attempt(&[], &ladder))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 3);
}

#[tokio::test]
async fn tries_that_are_free_do_not_wait_for_each_other() {
    let gate = Gate::open().await;
    let ladder = Ladder {
        free: 100,
        ..ladder("ada")
    };
    let all = join_all((0..100).map(|_| gate.throttle.attempt(&[], &ladder))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 100);
}

#[tokio::test]
async fn a_ladder_is_forgotten_after_its_time() {
    let gate = Gate::open().await;
    let attempt = async || gate.throttle.attempt(&[], &ladder("ada")).await.is_ok();
    for expected in [true, true, true, false] {
        assert_eq!(attempt().await, expected);
    }
    gate.pass(25 * HOUR).await;
    for expected in [true, true, true, false] {
        assert_eq!(attempt().await, expected);
    }
}

#[tokio::test]
async fn a_try_that_a_bucket_refuses_is_no_try() {
    let gate = Gate::open().await;
    assert_eq!(gate.passed(1, &[rule("address", 1)]).await, 1);
    for _ in 0..5 {
        assert!(
            gate.throttle
                .attempt(&[rule("address", 1)], &ladder("ada"))
                .await
                .is_err()
        );
    }
    assert!(gate.throttle.attempt(&[], &ladder("ada")).await.is_ok());
}

#[tokio::test]
async fn rows_that_say_nothing_are_removed_and_others_stay() {
    let gate = Gate::open().await;
    let database = gate.test.of(SHOP);
    assert_eq!(gate.passed(1, &[rule("old", 1)]).await, 1);
    gate.pass(2 * HOUR).await;
    assert_eq!(gate.passed(1, &[rule("new", 1)]).await, 1);
    assert_eq!(tidy(&database).await.unwrap(), 1);
    assert_eq!(tidy(&database).await.unwrap(), 0);
    assert_eq!(gate.passed(1, &[rule("new", 1)]).await, 0);
    let schedules = with_tidying(Schedules::new(), &database);
    assert_eq!(schedules.names().len(), 1);
}

#[tokio::test]
async fn what_is_held_at_the_moment_is_left_for_the_next_time() {
    let gate = Gate::open().await;
    let database = gate.test.of(SHOP);
    for label in ["held", "free"] {
        assert_eq!(gate.passed(1, &[rule(label, 1)]).await, 1);
    }
    gate.pass(2 * HOUR).await;
    let mut admin = gate.test.admin().await;
    let holding = admin.transaction().await.unwrap();
    let hold = "SELECT FROM shop.throttle ORDER BY key LIMIT 1 FOR UPDATE";
    holding.execute(hold, &[]).await.unwrap();
    assert_eq!(tidy(&database).await.unwrap(), 1);
    holding.commit().await.unwrap();
    assert_eq!(tidy(&database).await.unwrap(), 1);
}
