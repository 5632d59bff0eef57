//! The end of a membership.

use http::StatusCode;
use plaza_kernel::{Clock, UserId};
use plaza_testkit::{Mounted, Permit, callers};
use serde_json::json;

use crate::house::{House, PASSWORD, Tokens};
use crate::user_update::{member, path};

const ADA: &str = "ada@example.org";
const BEN: &str = "ben@example.org";

#[tokio::test]
async fn who_is_removed_is_out_at_once_and_it_is_said() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", ADA).await;
    house.tenant("rival", BEN).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    // Ben has no password yet: the invitation of acme sets it, the owner's link of rival is still out.
    let ben = member(&house, &ada, "acme", BEN).await;
    let client = house.mounted.as_caller(&ada);
    let reply = client.delete(&path(ben.subject)).await;
    reply.assert_status(StatusCode::NO_CONTENT);

    assert!(!house.stands(&ben).await);
    house
        .log_in_at("acme", BEN)
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    client
        .get(&path(ben.subject))
        .await
        .assert_failed(StatusCode::NOT_FOUND, "USER_NOT_FOUND");
    client
        .delete(&path(ben.subject))
        .await
        .assert_failed(StatusCode::NOT_FOUND, "USER_NOT_FOUND");
    let said = house.said().await;
    let removed: Vec<_> = said
        .iter()
        .filter(|(name, _)| name == "identity.member.removed")
        .collect();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].1, json!({"user_id": ben.subject}));
    // The account is Ben's own.
    let accounts = format!("SELECT count(*) FROM identity.users WHERE id = '{}'", ben.subject);
    assert_eq!(house.count(&accounts).await, 1);
    let memberships = format!(
        "SELECT count(*) FROM identity.memberships WHERE user_id = '{}'",
        ben.subject
    );
    assert_eq!(house.count(&memberships).await, 1);
    assert_eq!(ben.tenant(), Some(acme));
}

#[tokio::test]
async fn who_comes_back_begins_anew() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    let before = member(&house, &ada, "acme", BEN).await;
    let client = house.mounted.as_caller(&ada);
    client
        .put(&path(before.subject), &json!({"name": "Ben", "role": "owner"}))
        .await
        .assert_ok();
    client.delete(&path(before.subject)).await.assert_ok();
    let again = member(&house, &ada, "acme", BEN).await;
    assert_eq!(again.subject, before.subject);
    assert_eq!(again.role, plaza_kernel::SystemRole::Member);
    assert!(house.stands(&again).await);
    assert!(
        !house.stands(&before).await,
        "a session of before does not come back"
    );
    let user = client.get(&path(again.subject)).await.assert_ok().value();
    assert_eq!((&user["name"], &user["version"]), (&json!(""), &json!(1)));
}

#[tokio::test]
async fn a_withdrawn_invitation_admits_nobody() {
    let house = House::open().await;
    house.tenant_with_owner("acme", ADA).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    let client = house.mounted.as_caller(&ada);
    let invite = client.post("/api/v1/auth/users", &json!({"email": BEN})).await;
    let invite = invite.assert_ok().value();
    let ben: UserId = invite["user_id"].as_str().unwrap().parse().unwrap();
    client.delete(&path(ben)).await.assert_ok();
    let token = invite["token"].as_str().unwrap();
    house
        .set_up(token, BEN, PASSWORD)
        .await
        .assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
}

#[tokio::test]
async fn owners_are_removed_by_owners_and_nobody_removes_themselves() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", ADA).await;
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    let ben = member(&house, &ada, "acme", BEN).await;
    let remove = async |who: &plaza_kernel::Caller, whom: UserId| {
        house.mounted.as_caller(who).delete(&path(whom)).await
    };
    remove(&ben, ada.subject)
        .await
        .assert_failed(StatusCode::FORBIDDEN, "OWNER_ONLY");
    for who in [&ada, &ben] {
        remove(who, who.subject)
            .await
            .assert_failed(StatusCode::FORBIDDEN, "NOT_YOURSELF");
    }
    let stranger = callers::owner(callers::tenant());
    for whom in [ben.subject, UserId::generate(&Clock::system())] {
        remove(&stranger, whom)
            .await
            .assert_failed(StatusCode::NOT_FOUND, "USER_NOT_FOUND");
    }
    let powerless = Mounted::new(house.identity.http(Permit::none()));
    powerless
        .as_caller(&callers::member(acme))
        .delete(&path(ben.subject))
        .await
        .assert_status(StatusCode::FORBIDDEN);
    assert!(house.stands(&ada).await && house.stands(&ben).await);
}
