//! What ends a token before its time is seen within seconds, and costs the requests that go well nothing.

use crate::house::House;

#[tokio::test]
async fn a_session_that_ended_is_seen_within_five_seconds() {
    let house = House::new();
    let token = house.owner();
    assert_eq!(house.me(&token).await.status, 200);
    house.identity.end_sessions();
    house.wait(5_000);
    assert_eq!(
        house.me(&token).await.problem(),
        (401, "INVALID_TOKEN".to_owned())
    );
}

#[tokio::test]
async fn a_changed_role_ends_the_token() {
    let house = House::new();
    let token = house.owner();
    assert_eq!(house.me(&token).await.status, 200);
    house.identity.change_role("member");
    house.wait(5_000);
    assert_eq!(
        house.me(&token).await.problem(),
        (401, "INVALID_TOKEN".to_owned())
    );
}

#[tokio::test]
async fn a_suspended_tenant_ends_the_token() {
    for status in ["suspended", "deleting", "no-such-state"] {
        let house = House::new();
        let (token, administrator) = (house.owner(), house.administrator());
        assert_eq!(house.me(&token).await.status, 200);
        house.tenancy.set_status(status);
        house.wait(5_000);
        assert_eq!(
            house.me(&token).await.problem(),
            (401, "INVALID_TOKEN".to_owned()),
            "{status}"
        );
        assert_eq!(
            house.me(&administrator).await.status,
            200,
            "the platform's administrator has no tenant"
        );
    }
}

#[tokio::test]
async fn a_token_ends_when_its_time_is_over() {
    let house = House::new();
    let token = house.owner();
    assert_eq!(house.me(&token).await.status, 200);
    house.wait(604_999);
    assert_eq!(house.me(&token).await.status, 200, "the leeway");
    house.wait(1);
    assert_eq!(
        house.me(&token).await.problem(),
        (401, "INVALID_TOKEN".to_owned())
    );
}

#[tokio::test]
async fn requests_that_go_well_ask_identity_once_and_confirm_in_the_background() {
    let house = House::new();
    let token = house.owner();
    for _ in 0..100 {
        assert_eq!(house.me(&token).await.status, 200);
    }
    assert_eq!(
        (house.identity.keys_asked(), house.identity.sessions_asked()),
        (1, 1)
    );
    house.wait(2_500);
    assert_eq!(house.me(&token).await.status, 200);
    house.gateway.tasks().close();
    house.gateway.tasks().wait().await;
    assert_eq!(house.identity.sessions_asked(), 2);
    // The confirmation counts from its own time: nobody has to wait five seconds after the first.
    house.wait(2_500);
    house.identity.away(true);
    assert_eq!(house.me(&token).await.status, 200);
}

#[tokio::test]
async fn a_hundred_requests_at_once_ask_once() {
    let house = House::new();
    let token = house.owner();
    let answers = futures_util::future::join_all((0..100).map(|_| house.me(&token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(
        (house.identity.keys_asked(), house.identity.sessions_asked()),
        (1, 1)
    );
}

#[tokio::test]
async fn while_identity_is_away_sessions_stand_for_five_seconds_then_everything_is_unavailable() {
    let house = House::new();
    let token = house.owner();
    assert_eq!(house.me(&token).await.status, 200);
    house.identity.away(true);
    house.wait(4_999);
    assert_eq!(house.me(&token).await.status, 200);
    house.wait(300);
    let answer = house.me(&token).await;
    assert_eq!(answer.problem(), (503, "SERVICE_UNAVAILABLE".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    house.identity.away(false);
    house.wait(300);
    assert_eq!(house.me(&token).await.status, 200);
}

#[tokio::test]
async fn an_identity_that_was_never_there_lets_nobody_in() {
    let house = House::new();
    house.identity.away(true);
    assert_eq!(
        house.me(&house.owner()).await.problem(),
        (503, "SERVICE_UNAVAILABLE".to_owned())
    );
}
