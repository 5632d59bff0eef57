//! How often strangers may try.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use plaza_identity::{IdentityConfig, ThrottleConfig};
use plaza_testkit::{Reply, eventually};
use serde_json::json;

use crate::house::{House, PASSWORD, Tokens, cheap, open_house, unhurried};

const ADA: &str = "ada@example.org";
const HERE: &str = "192.0.2.7";

async fn house(throttle: ThrottleConfig) -> House {
    let house = House::with(IdentityConfig {
        throttle,
        password: cheap(),
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", ADA).await;
    house
}

async fn try_from(house: &House, address: &str, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    house.post_from(address, "/api/v1/auth/login", body).await
}

#[track_caller]
fn wrong(reply: Reply) {
    reply.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
}

/// The seconds after which to come again.
#[track_caller]
fn throttled(reply: Reply) -> u32 {
    let seconds = reply.headers[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(reply.headers.contains_key("ratelimit-policy") && reply.headers.contains_key("ratelimit"));
    reply.assert_failed(StatusCode::TOO_MANY_REQUESTS, "THROTTLED");
    seconds
}

#[tokio::test]
async fn of_a_thousand_wrong_passwords_at_once_ten_are_compared() {
    let house = house(ThrottleConfig {
        free_failures: 100_000,
        ..ThrottleConfig::default()
    })
    .await;
    let replies: Vec<Reply> = stream::iter(0..1_000)
        .map(|one| {
            let house = &house;
            async move { try_from(house, HERE, ADA, &format!("wrong {one}")).await }
        })
        .buffer_unordered(100)
        .collect()
        .await;
    let compared = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::UNAUTHORIZED)
        .count();
    let refused = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::TOO_MANY_REQUESTS)
        .count();
    // One more comes back every six seconds.
    assert!((10..25).contains(&compared), "{compared} compared");
    assert_eq!(compared + refused, 1_000);
}

#[tokio::test]
async fn wrong_passwords_slow_their_network_down_and_nobody_else() {
    let house = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        ..ThrottleConfig::default()
    })
    .await;
    for last in 1..=5 {
        wrong(try_from(&house, &format!("192.0.2.{last}"), ADA, "wrong").await);
    }
    // The sixth waits, right or wrong, and from a neighbour too.
    assert_eq!(throttled(try_from(&house, "192.0.2.99", ADA, PASSWORD).await), 1);
    // Nobody locks Ada out.
    Tokens::of(try_from(&house, "198.51.100.1", ADA, PASSWORD).await);
    let once_more = || async { try_from(&house, HERE, ADA, PASSWORD).await.status == StatusCode::OK };
    eventually(Duration::from_secs(20), once_more).await;
}

#[tokio::test]
async fn the_right_password_is_forgiven_everything() {
    let house = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        ..ThrottleConfig::default()
    })
    .await;
    for _ in 0..3 {
        for _ in 0..4 {
            wrong(try_from(&house, "2001:db8:1:2::7", ADA, "wrong").await);
        }
        Tokens::of(try_from(&house, "2001:db8:1:2::8", ADA, PASSWORD).await);
        let forget = "DELETE FROM identity.known_devices";
        house.database.admin().await.batch_execute(forget).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_knows_the_password_is_not_slowed_down_by_guesses() {
    let house = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        login_per_account: "20/h".parse().unwrap(),
        ..ThrottleConfig::default()
    })
    .await;
    Tokens::of(try_from(&house, HERE, ADA, PASSWORD).await);
    for stranger in 0..20 {
        wrong(try_from(&house, &format!("198.51.{stranger}.1"), ADA, "wrong").await);
    }
    throttled(try_from(&house, "203.0.113.5", ADA, PASSWORD).await);
    // A neighbour is somebody else.
    throttled(try_from(&house, "192.0.2.250", ADA, PASSWORD).await);
    Tokens::of(try_from(&house, HERE, ADA, PASSWORD).await);
    let clients = "SELECT count(*) FROM identity.known_devices";
    assert_eq!(house.count(clients).await, 1);
}

#[tokio::test]
async fn guesses_of_a_neighbour_do_not_slow_down_who_knows_the_password() {
    let house = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        ..ThrottleConfig::default()
    })
    .await;
    Tokens::of(try_from(&house, HERE, ADA, PASSWORD).await);
    for _ in 0..5 {
        wrong(try_from(&house, "192.0.2.99", ADA, "wrong").await);
    }
    throttled(try_from(&house, "192.0.2.99", ADA, "wrong").await);
    Tokens::of(try_from(&house, HERE, ADA, PASSWORD).await);
}

/// What is answered to so many wrong passwords: statuses, and the limits that are named.
async fn answers(house: &House, email: &str, tries: u32) -> Vec<(u16, Option<String>)> {
    let mut answers = Vec::new();
    for _ in 0..tries {
        let reply = try_from(house, HERE, email, "wrong").await;
        let policy = reply.headers.get("ratelimit-policy");
        let policy = policy.map(|policy| policy.to_str().unwrap().to_owned());
        answers.push((reply.status.as_u16(), policy));
    }
    answers
}

#[tokio::test]
async fn where_an_account_is_known_its_password_is_guessed_no_faster_and_nothing_is_told() {
    for (throttle, policy) in [
        (
            ThrottleConfig {
                login_per_client: unhurried().login_per_client,
                ..ThrottleConfig::default()
            },
            "login-failures",
        ),
        (
            ThrottleConfig {
                login_per_account: "5/h".parse().unwrap(),
                ..unhurried()
            },
            "login-account",
        ),
    ] {
        let house = house(throttle).await;
        Tokens::of(try_from(&house, HERE, ADA, PASSWORD).await);
        let known = answers(&house, ADA, 6).await;
        let statuses: Vec<u16> = known.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
        assert!(known[5].1.as_ref().unwrap().starts_with(&format!("\"{policy}\"")));
        assert_eq!(answers(&house, "nobody@example.org", 6).await, known);
    }
}

#[tokio::test]
async fn strangers_use_up_no_limit_that_keeps_out_who_knows_the_password() {
    for throttle in [
        ThrottleConfig {
            login_per_tenant: "3/h".parse().unwrap(),
            ..unhurried()
        },
        ThrottleConfig {
            login_overall: "3/h".parse().unwrap(),
            ..unhurried()
        },
    ] {
        let house = house(throttle).await;
        let at_acme = async |address: &str, email: &str, password: &str| {
            let body = json!({"email": email, "password": password, "tenant": "acme"});
            house.post_from(address, "/api/v1/auth/login", body).await
        };
        Tokens::of(at_acme(HERE, ADA, PASSWORD).await);
        for stranger in 0..2 {
            let address = format!("198.51.{stranger}.1");
            wrong(at_acme(&address, &format!("n{stranger}@example.org"), "wrong").await);
        }
        throttled(at_acme("203.0.113.5", "n3@example.org", "wrong").await);
        throttled(at_acme("203.0.113.6", ADA, PASSWORD).await);
        for _ in 0..5 {
            Tokens::of(at_acme(HERE, ADA, PASSWORD).await);
        }
    }
}

#[tokio::test]
async fn whom_strangers_keep_out_comes_in_by_a_mail() {
    let house = house(ThrottleConfig {
        login_per_account: "5/h".parse().unwrap(),
        ..unhurried()
    })
    .await;
    for stranger in 0..5 {
        wrong(try_from(&house, &format!("198.51.{stranger}.1"), ADA, "wrong").await);
    }
    throttled(try_from(&house, HERE, ADA, PASSWORD).await);
    let token = house.forgot(ADA).await;
    let next = "another violet harbour 8";
    let body = json!({"token": token, "password": next});
    house
        .post_from(HERE, "/api/v1/auth/reset-password", body)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    for stranger in 0..5 {
        wrong(try_from(&house, &format!("198.51.{stranger}.1"), ADA, "wrong").await);
    }
    throttled(try_from(&house, "203.0.113.5", ADA, next).await);
    Tokens::of(try_from(&house, HERE, ADA, next).await);
}

#[tokio::test]
async fn unknown_addresses_are_slowed_down_as_known_ones_are() {
    let house = house(ThrottleConfig {
        login_per_client: unhurried().login_per_client,
        ..ThrottleConfig::default()
    })
    .await;
    for email in [ADA, "nobody@example.org"] {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(try_from(&house, HERE, email, "wrong").await.status.as_u16());
        }
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429], "{email}");
    }
}

#[tokio::test]
async fn who_tries_one_password_with_many_accounts_is_one_client() {
    let house = house(ThrottleConfig::default()).await;
    for victim in 0..10 {
        // All of one subscriber's.
        let address = format!("2001:db8:1:2::{victim}");
        wrong(try_from(&house, &address, &format!("n{victim}@example.org"), PASSWORD).await);
    }
    let wait = throttled(try_from(&house, "2001:db8:1:2:ffff::1", ADA, PASSWORD).await);
    assert!((1..=6).contains(&wait), "{wait}");
    Tokens::of(try_from(&house, "2001:db8:1:3::1", ADA, PASSWORD).await);
}

#[tokio::test]
async fn headers_make_nobody_another_client() {
    let house = house(ThrottleConfig {
        login_per_client: "2/h".parse().unwrap(),
        ..unhurried()
    })
    .await;
    let send = async |number: u32| {
        let request = http::Request::post("/api/v1/auth/login")
            .header("content-type", "application/json")
            .header("x-forwarded-for", format!("203.0.113.{number}"))
            .header("forwarded", format!("for=203.0.113.{number}"))
            .header("x-real-ip", format!("203.0.113.{number}"))
            .extension(plaza_contracts::edge::ClientAddress(HERE.parse().unwrap()))
            .body(axum::body::Body::from(
                json!({"email": ADA, "password": "wrong"}).to_string(),
            ))
            .unwrap();
        house.mounted.anonymous().send(request).await
    };
    wrong(send(1).await);
    wrong(send(2).await);
    throttled(send(3).await);
}

#[tokio::test]
async fn on_this_machine_clients_are_not_counted_where_that_was_said_and_accounts_are() {
    let house = house(ThrottleConfig {
        loopback_exempt: true,
        login_per_client: "1/h".parse().unwrap(),
        login_overall: "1/h".parse().unwrap(),
        register_per_client: "1/h".parse().unwrap(),
        ..ThrottleConfig::default()
    })
    .await;
    for local in ["127.0.0.1", "::1", "::ffff:127.0.0.2"] {
        Tokens::of(try_from(&house, local, ADA, PASSWORD).await);
    }
    for _ in 0..5 {
        wrong(try_from(&house, "127.0.0.1", "nobody@example.org", "wrong").await);
    }
    throttled(try_from(&house, "127.0.0.1", "nobody@example.org", "wrong").await);
    Tokens::of(try_from(&house, HERE, ADA, PASSWORD).await);
    throttled(try_from(&house, HERE, ADA, PASSWORD).await);
}

#[tokio::test]
async fn a_tenant_and_all_together_have_limits_too() {
    let house = house(ThrottleConfig {
        login_per_tenant: "2/h".parse().unwrap(),
        login_overall: "4/h".parse().unwrap(),
        ..unhurried()
    })
    .await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    for _ in 0..2 {
        Tokens::of(house.log_in_at("acme", ADA).await);
    }
    throttled(house.log_in_at("acme", ADA).await);
    for _ in 0..2 {
        Tokens::of(house.log_in_at("rival", "bob@example.org").await);
    }
    throttled(house.log_in(ADA).await);
}

#[tokio::test]
async fn accounts_are_made_and_sessions_refreshed_only_so_often() {
    let house = house(ThrottleConfig::default()).await;
    let register = |number: u32| {
        let body = json!({"email": format!("n{number}@example.org"), "password": PASSWORD});
        house.post_from(HERE, "/api/v1/auth/register", body)
    };
    for number in 0..5 {
        register(number).await.assert_status(StatusCode::ACCEPTED);
    }
    throttled(register(5).await);
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 6);

    let (first, other) = (
        Tokens::of(house.log_in(ADA).await),
        Tokens::of(house.log_in(ADA).await),
    );
    for _ in 0..30 {
        // The same successor again and again, as within the grace.
        Tokens::of(house.refresh(&first.refresh).await);
    }
    throttled(house.refresh(&first.refresh).await);
    Tokens::of(house.refresh(&other.refresh).await);
}

#[tokio::test]
async fn one_address_is_one_account_or_none() {
    let house = house(unhurried()).await;
    Tokens::of(try_from(&house, HERE, " ADA@Example.ORG ", PASSWORD).await);
    for lookalike in [
        "ada@example.org\0",
        "ada%00@example.org",
        "ａda@example.org",
        "ada@ｅxample.org",
        "ada@example.org.",
        "\"ada\"@example.org",
        "ada @example.org",
        "ada@example.org,bob@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
    ] {
        let reply = try_from(&house, HERE, lookalike, PASSWORD).await;
        // `%00` are three letters of another address.
        let answers = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNAUTHORIZED];
        assert!(answers.contains(&reply.status), "{lookalike:?}: {reply}");
        let body = json!({"email": lookalike, "password": PASSWORD});
        house.post("/api/v1/auth/register", body).await;
    }
    let accounts = "SELECT count(*) FROM identity.users WHERE email_norm LIKE '%ada%'";
    assert!(house.count(accounts).await <= 2);
}
