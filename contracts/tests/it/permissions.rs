//! The cached way to permissions.

use chrono::{DateTime, TimeDelta};
use plaza_contracts::access::Permissions;
use plaza_contracts::remembered::NotKnown;
use plaza_kernel::{Clock, ManualClock, PermissionSet, TenantId, UserId};

use crate::stub_access::StubAccess;

struct Scene {
    access: StubAccess,
    permissions: Permissions,
    hand: ManualClock,
    tenant: TenantId,
    user: UserId,
}

impl Scene {
    /// A member who may do what bit 0 stands for.
    fn new() -> Self {
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let access = StubAccess::default();
        access.grant(0b1);
        let permissions = Permissions::new(access.transport(), clock.clone());
        let (tenant, user) = (TenantId::generate(&clock), UserId::generate(&clock));
        Self {
            access,
            permissions,
            hand,
            tenant,
            user,
        }
    }

    async fn bits(&self) -> Result<u64, NotKnown> {
        let set = self.permissions.permissions_of(self.tenant, self.user).await?;
        Ok(PermissionSet::words(&set)[0])
    }

    fn known(&self) -> Option<u64> {
        self.permissions
            .try_permissions(self.tenant, self.user)
            .map(|set| set.words()[0])
    }

    fn wait(&self, milliseconds: i64) {
        self.hand.advance(TimeDelta::milliseconds(milliseconds));
    }
}

#[tokio::test]
async fn a_second_check_asks_nobody() {
    let scene = Scene::new();
    assert_eq!(scene.known(), None);
    assert_eq!(scene.bits().await, Ok(1));
    assert_eq!(scene.known(), Some(1));
    assert_eq!(scene.bits().await, Ok(1));
    assert_eq!(scene.access.asked(), (1, 1));
}

#[tokio::test]
async fn the_version_is_asked_for_every_two_seconds_and_the_bits_once_per_version() {
    let scene = Scene::new();
    for _ in 0..20 {
        assert_eq!(scene.bits().await, Ok(1));
        scene.wait(500);
    }
    assert_eq!(scene.access.asked(), (5, 1));
}

#[tokio::test]
async fn a_grant_taken_away_is_seen_within_two_seconds() {
    let scene = Scene::new();
    assert_eq!(scene.bits().await, Ok(1));
    scene.access.grant(0);
    scene.wait(2_000);
    assert_eq!(scene.known(), None);
    assert_eq!(scene.bits().await, Ok(0));
}

#[tokio::test]
async fn a_write_in_this_process_is_seen_at_once() {
    let scene = Scene::new();
    assert_eq!(scene.bits().await, Ok(1));
    scene.access.grant(0b11);
    scene.permissions.invalidate(scene.tenant);
    assert_eq!(scene.known(), None);
    assert_eq!(scene.bits().await, Ok(0b11));
}

#[tokio::test]
async fn a_write_during_a_question_is_seen_by_the_next_check() {
    let scene = Scene::new();
    let (first, ()) = tokio::join!(scene.bits(), async {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        scene.permissions.invalidate(scene.tenant);
    });
    assert_eq!(first, Ok(1));
    assert_eq!(
        scene.known(),
        None,
        "the answer was on its way when the write happened"
    );
}

#[tokio::test]
async fn a_hundred_checks_at_once_ask_once() {
    let scene = Scene::new();
    let answers = futures_util::future::join_all((0..100).map(|_| scene.bits())).await;
    assert!(answers.into_iter().all(|bits| bits == Ok(1)));
    assert_eq!(scene.access.asked(), (1, 1));
}

#[tokio::test]
async fn while_access_is_away_the_last_answer_stands_for_five_seconds_then_nothing() {
    let scene = Scene::new();
    assert_eq!(scene.bits().await, Ok(1));
    scene.access.away(true);
    scene.wait(4_999);
    assert_eq!(scene.bits().await, Ok(1));
    scene.wait(1);
    assert_eq!(scene.bits().await, Err(NotKnown));
    scene.access.away(false);
    scene.wait(250);
    assert_eq!(scene.bits().await, Ok(1));
}

#[tokio::test]
async fn an_access_that_is_away_is_not_asked_by_everybody() {
    let scene = Scene::new();
    assert_eq!(scene.bits().await, Ok(1));
    scene.access.away(true);
    scene.wait(3_000);
    for _ in 0..10 {
        assert_eq!(scene.bits().await, Ok(1));
    }
    assert_eq!(scene.access.asked().0, 2);
    scene.wait(3_000);
    let answers = futures_util::future::join_all((0..100).map(|_| scene.bits())).await;
    assert!(answers.into_iter().all(|bits| bits == Err(NotKnown)));
    assert_eq!(scene.access.asked().0, 3);
}

#[tokio::test]
async fn after_a_write_an_access_that_is_away_gives_no_old_answer() {
    let scene = Scene::new();
    assert_eq!(scene.bits().await, Ok(1));
    scene.permissions.invalidate(scene.tenant);
    scene.access.away(true);
    assert_eq!(scene.bits().await, Err(NotKnown));
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_an_answer_alive() {
    let scene = Scene::new();
    assert_eq!(scene.bits().await, Ok(1));
    scene.wait(-60_000);
    assert_eq!(scene.known(), None);
}
