//! Lists of two tenants at the same addresses: neither a cursor nor anything that was answered before shows one the rows of the
//! other.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::client::{Api, answer};
use crate::front::{Front, Running, Topology};
use crate::story;

const RECIPIENTS: &str = "/api/v1/broadcast/recipients";

#[tokio::test]
async fn tenants_of_one_process_see_their_own_rows_alone() {
    see_their_own_rows_alone(Topology::OneProcess).await;
}

#[tokio::test]
async fn tenants_of_pieces_see_their_own_rows_alone() {
    see_their_own_rows_alone(Topology::Pieces).await;
}

async fn see_their_own_rows_alone(topology: Topology) {
    let mut plaza = Running::start(topology).await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await.owner;
    let rival = story::tenant(&admin, "rival").await.owner;
    // One after the other, so that ids of both lie between each other's.
    for number in 0..6 {
        for (owner, name, code) in [(&acme, "acme", 151), (&rival, "rival", 152)] {
            let phone = format!("+49{code}174041{number:02}");
            let body = json!({"name": format!("{name} {number}"), "phone": phone, "opted_in": true});
            owner.post(RECIPIENTS, body).await.ok();
        }
    }
    a_cursor_is_a_place_and_no_key(&acme, &rival).await;
    one_address_shows_each_their_own(&acme, &rival).await;
    plaza.stop().await;
}

/// The rows that somebody sees behind a cursor.
async fn behind(api: &Api, cursor: &str) -> BTreeSet<String> {
    let page = api
        .get(&format!("{RECIPIENTS}?limit=100&cursor={cursor}"))
        .await
        .ok();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn a_cursor_is_a_place_and_no_key(acme: &Api, rival: &Api) {
    let rivals: BTreeSet<String> = ids(&rival.all(RECIPIENTS).await);
    assert_eq!(rivals.len(), 6);
    for limit in 1..6 {
        let page = acme.get(&format!("{RECIPIENTS}?limit={limit}")).await.ok();
        let cursor = page["next_cursor"].as_str().unwrap();
        let seen = behind(rival, cursor).await;
        assert!(seen.is_subset(&rivals), "{limit}: {seen:?}");
        // As with any other place: what is behind it, and not whose it is, decides.
        assert_eq!(seen.len(), 6 - limit, "{limit}");
    }
    for strange in [
        "c1ffffffffffffffffffffffffffffffff",
        "c100000000000000000000000000000000",
    ] {
        assert!(behind(rival, strange).await.is_subset(&rivals), "{strange}");
    }
    for none in [
        "",
        "c1",
        "c2ffffffffffffffffffffffffffffffff",
        "c1ffff",
        "%27%20OR%201%3D1",
    ] {
        let refused = rival.get(&format!("{RECIPIENTS}?cursor={none}")).await;
        refused.assert_failed(422, "INVALID_QUERY");
    }
    let huge = rival.get(&format!("{RECIPIENTS}?limit=1000000000")).await;
    huge.assert_failed(422, "INVALID_QUERY");
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn one_address_shows_each_their_own(acme: &Api, rival: &Api) {
    let (acmes, rivals) = (
        ids(&acme.all(RECIPIENTS).await),
        ids(&rival.all(RECIPIENTS).await),
    );
    for _ in 0..5 {
        for (owner, own) in [(acme, &acmes), (rival, &rivals)] {
            for conditional in [None, Some("*"), Some("\"v1\""), Some("W/\"v1\"")] {
                let mut request = owner.request(Method::GET, &format!("{RECIPIENTS}?limit=100"));
                if let Some(tag) = conditional {
                    request = request.header("if-none-match", tag);
                }
                let answer = answer(request).await;
                // Never "as you know it already": nobody knows what was known.
                assert_eq!(answer.status, 200, "{conditional:?}");
                assert_eq!(answer.headers["cache-control"], "no-store");
                assert_eq!(&ids(answer.json()["items"].as_array().unwrap()), own);
            }
        }
    }
}
