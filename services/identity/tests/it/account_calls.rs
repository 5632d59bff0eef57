//! Accounts through the gRPC door: the same verbs as over HTTP.

use plaza_contracts::proto::identity::{
    LogInRequest, RefreshRequest, RegisterRequest, SetUpRequest, WhoAmIRequest,
};
use plaza_contracts::tokens::AccessClaims;
use plaza_testkit::callers;
use secrecy::ExposeSecret;

use crate::house::{House, PASSWORD, Tokens, code};
use crate::member_calls::{ask_in, with_email};

fn log_in(email: &str, password: &str, tenant: &str) -> LogInRequest {
    LogInRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        tenant: tenant.to_owned(),
    }
}

fn claims(access_token: &str) -> AccessClaims {
    let tokens = Tokens {
        access: access_token.to_owned(),
        refresh: String::new(),
    };
    tokens.claims()
}

#[tokio::test]
async fn a_person_is_asked_in_sets_a_password_logs_in_and_refreshes() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let invite = house
        .members()
        .invite_member(ask_in(tenant, "max@example.org"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        invite.setup_url,
        format!("https://plaza.example/setup#token={}", invite.token)
    );
    let until = chrono::DateTime::parse_from_rfc3339(&invite.expires_at).unwrap();
    assert_eq!(until, house.clock.now() + chrono::TimeDelta::hours(72));
    let said = house.said().await;
    assert_eq!(said.last().unwrap().1["email"], "max@example.org");

    let mut accounts = house.accounts();
    let set_up = |password: &str| SetUpRequest {
        token: invite.token.clone(),
        email: "max@example.org".to_owned(),
        password: password.to_owned(),
    };
    assert_eq!(code(accounts.set_up(set_up("short")).await), "PASSWORD_TOO_SHORT");
    let done = accounts.set_up(set_up(PASSWORD)).await.unwrap().into_inner();
    assert_eq!(
        (done.user_id.as_str(), done.role.as_str(), done.tenant_id),
        (invite.user_id.as_str(), "member", tenant.to_string())
    );
    let again = accounts.set_up(set_up(PASSWORD)).await;
    assert_eq!(code(again), "SETUP_LINK_INVALID");

    let wrong = log_in("max@example.org", "not the pass word", "acme");
    assert_eq!(code(accounts.log_in(wrong).await), "INVALID_CREDENTIALS");
    let tokens = accounts
        .log_in(log_in("max@example.org", PASSWORD, ""))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(tokens.expires_in, 600);
    assert_eq!(claims(&tokens.access_token).tid, Some(tenant));

    house.time.advance(chrono::TimeDelta::minutes(1));
    let refresh = RefreshRequest {
        refresh_token: tokens.refresh_token,
    };
    let next = accounts.refresh(refresh.clone()).await.unwrap().into_inner();
    let last = RefreshRequest {
        refresh_token: next.refresh_token,
    };
    accounts.refresh(last).await.unwrap();
    assert_eq!(code(accounts.refresh(refresh).await), "REFRESH_REUSED");
    let none = RefreshRequest::default();
    assert_eq!(code(accounts.refresh(none).await), "INVALID_REFRESH_TOKEN");
}

#[tokio::test]
async fn a_stranger_registers_and_the_platforms_link_makes_its_administrator() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let mut accounts = house.accounts();
    let register = |tenant: &str| RegisterRequest {
        email: "eve@example.org".to_owned(),
        password: PASSWORD.to_owned(),
        name: "Eve".to_owned(),
        tenant: tenant.to_owned(),
    };
    assert_eq!(
        code(accounts.register(register("nobody")).await),
        "TENANT_NOT_FOUND"
    );
    accounts.register(register("acme")).await.unwrap();
    accounts.register(register("acme")).await.unwrap();
    let mut wrong = register("acme");
    wrong.email = "nobody".to_owned();
    assert_eq!(code(accounts.register(wrong).await), "INVALID_EMAIL");
    let eve = house
        .members()
        .find_member(with_email(tenant, "EVE@example.org"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((eve.name.as_str(), eve.status.as_str()), ("Eve", "active"));

    let token = house.identity.setup_link().await.unwrap().unwrap();
    let set_up = SetUpRequest {
        token: token.expose_secret().to_owned(),
        email: "root@example.org".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let root = accounts.set_up(set_up).await.unwrap().into_inner();
    assert_eq!(
        (root.role.as_str(), root.tenant_id.as_str()),
        ("platform_admin", "")
    );
}

#[tokio::test]
async fn who_am_i_is_about_the_person_whom_the_call_passes_on() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let mut accounts = house.accounts();
    let me = house
        .for_person(&ada, accounts.who_am_i(WhoAmIRequest {}))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (me.email.as_str(), me.role.as_str(), me.tenant_id),
        ("ada@example.org", "owner", tenant.to_string())
    );
    assert_eq!(me.session_id, ada.session.to_string());
    let nobody = accounts.who_am_i(WhoAmIRequest {}).await;
    assert_eq!(code(nobody), "UNAUTHENTICATED");
    let gone = callers::member(tenant);
    let gone = house.for_person(&gone, accounts.who_am_i(WhoAmIRequest {})).await;
    assert_eq!(code(gone), "UNAUTHENTICATED");
}
