use chrono::TimeDelta;
use futures_util::future::join_all;
use http::StatusCode;
use plaza_identity::IdentityConfig;

use crate::house::{House, Tokens, open_house, unhurried};

async fn logged_in() -> (House, Tokens) {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let tokens = Tokens::of(house.log_in("ada@example.org").await);
    (house, tokens)
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    let (house, first) = logged_in().await;
    house.time.advance(TimeDelta::minutes(9));
    let second = Tokens::of(house.refresh(&first.refresh).await);
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(second.caller(), first.caller());
    assert_eq!(second.claims().exp - first.claims().exp, 9 * 60);
    Tokens::of(house.refresh(&second.refresh).await);
}

#[tokio::test]
async fn the_holder_of_the_parent_gets_the_same_successor_for_ten_seconds() {
    let (house, first) = logged_in().await;
    let second = Tokens::of(house.refresh(&first.refresh).await);
    house.time.advance(TimeDelta::seconds(9));
    assert_eq!(
        Tokens::of(house.refresh(&first.refresh).await).refresh,
        second.refresh
    );
    Tokens::of(house.refresh(&second.refresh).await);
}

#[tokio::test]
async fn a_late_reuse_ends_the_family_for_good() {
    let (house, first) = logged_in().await;
    let second = Tokens::of(house.refresh(&first.refresh).await);
    house.time.advance(TimeDelta::seconds(11));
    house
        .refresh(&first.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "REFRESH_REUSED");
    // Committed, not rolled back with the error: seen by another connection, and by everybody who asks.
    let revoked = "SELECT count(*) FROM identity.sessions WHERE revoked_because = 'refresh_reused'";
    assert_eq!(house.count(revoked).await, 1);
    assert!(!house.stands(&second.caller()).await);
    for token in [&second.refresh, &first.refresh] {
        house
            .refresh(token)
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    }
}

#[tokio::test]
async fn a_parent_whose_successor_was_used_ends_the_family_even_within_the_grace() {
    let (house, first) = logged_in().await;
    let second = Tokens::of(house.refresh(&first.refresh).await);
    Tokens::of(house.refresh(&second.refresh).await);
    house
        .refresh(&first.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "REFRESH_REUSED");
    assert!(!house.stands(&first.caller()).await);
}

#[tokio::test]
async fn a_hundred_parallel_refreshes_leave_one_living_chain() {
    let house = House::with(IdentityConfig {
        throttle: unhurried(),
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let first = Tokens::of(house.log_in("ada@example.org").await);
    let replies = join_all((0..100).map(|_| house.refresh(&first.refresh))).await;
    let mut successors: Vec<String> = Vec::new();
    for reply in replies {
        // A busy database may turn some away; nobody gets anything but the one successor.
        if reply.status != StatusCode::SERVICE_UNAVAILABLE {
            successors.push(Tokens::of(reply).refresh);
        }
    }
    assert!(!successors.is_empty());
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(
        house.count("SELECT count(*) FROM identity.refresh_tokens").await,
        2
    );
    assert_eq!(
        house
            .count("SELECT count(*) FROM identity.refresh_tokens WHERE used_at IS NULL")
            .await,
        1
    );
    Tokens::of(house.refresh(&successors[0]).await);
}

#[tokio::test]
async fn a_refresh_token_expires_when_unused_and_at_last_however_often_it_is_used() {
    let (house, mut tokens) = logged_in().await;
    for _ in 0..5 {
        house.time.advance(TimeDelta::days(6) - TimeDelta::seconds(1));
        tokens = Tokens::of(house.refresh(&tokens.refresh).await);
    }
    house.time.advance(TimeDelta::seconds(6));
    house
        .refresh(&tokens.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");

    let idle = Tokens::of(house.log_in("ada@example.org").await);
    house.time.advance(TimeDelta::days(15));
    house
        .refresh(&idle.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
}

#[tokio::test]
async fn other_tokens_are_no_refresh_tokens() {
    let (house, tokens) = logged_in().await;
    let tenant = house.tenant("rival", "bob@example.org").await;
    let link = house.owner_link(tenant).await.unwrap();
    // The same secret under another tenant's name.
    let moved = format!("{}{}", &link[..20], &tokens.refresh[20..]);
    for token in [
        tokens.access.as_str(),
        &link,
        &moved,
        "",
        "x",
        &"A".repeat(64),
        &"x".repeat(15_000),
    ] {
        house
            .refresh(token)
            .await
            .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_REFRESH_TOKEN");
    }
    Tokens::of(house.refresh(&tokens.refresh).await);
}

#[tokio::test]
async fn the_administrators_sessions_work_alike() {
    let house = House::open().await;
    house.administrator("root@example.org").await;
    let first = Tokens::of(house.log_in("root@example.org").await);
    let second = Tokens::of(house.refresh(&first.refresh).await);
    assert_eq!(
        Tokens::of(house.refresh(&first.refresh).await).refresh,
        second.refresh
    );
    house.time.advance(TimeDelta::seconds(11));
    house
        .refresh(&first.refresh)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "REFRESH_REUSED");
    assert!(!house.stands(&second.caller()).await);
}

#[tokio::test]
async fn no_token_lies_in_the_database() {
    let (house, tokens) = logged_in().await;
    let second = Tokens::of(house.refresh(&tokens.refresh).await);
    let admin = house.database.admin().await;
    let rows = admin
        .query("SELECT to_jsonb(t)::text FROM identity.refresh_tokens AS t", &[])
        .await
        .unwrap();
    let dump: String = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    for token in [&tokens.refresh, &second.refresh] {
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token).unwrap();
        let hex: String = bytes[16..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(token) && !dump.contains(&hex));
    }
}
