use http::StatusCode;
use plaza_contracts::proto::identity::GetMemberRequest;
use plaza_kernel::{Clock, SystemRole, UserId};
use plaza_rpc::RpcError;
use plaza_testkit::{Mounted, Permit};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens};

#[tokio::test]
async fn an_owner_asks_a_member_in() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let owner = Tokens::of(house.log_in("ada@example.org").await).caller();
    let owner = house.mounted.as_caller(&owner);
    let max = json!({"email": "max@example.org", "name": "Max", "role": "member"});
    let invite = owner.post("/api/v1/auth/users", &max).await;
    let invite = invite.assert_status(StatusCode::CREATED).value();
    let token = invite["token"].as_str().unwrap();
    assert_eq!(
        invite["setup_url"],
        json!(format!("https://plaza.example/setup#token={token}"))
    );
    let path = format!("/api/v1/auth/users/{}", invite["user_id"].as_str().unwrap());
    assert_eq!(owner.get(&path).await.assert_ok().value()["status"], "invited");
    house
        .log_in_at("acme", "max@example.org")
        .await
        .assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");

    house.set_up(token, "max@example.org", PASSWORD).await.assert_ok();
    let caller = Tokens::of(house.log_in("max@example.org").await).caller();
    assert_eq!((caller.role, caller.tenant()), (SystemRole::Member, Some(tenant)));
    let user = owner.get(&path).await.assert_ok().value();
    assert_eq!(
        (&user["status"], &user["name"], &user["role"]),
        (&json!("active"), &json!("Max"), &json!("member"))
    );
    let again = owner
        .post("/api/v1/auth/users", &json!({"email": "MAX@example.org"}))
        .await;
    again.assert_failed(StatusCode::CONFLICT, "USER_EXISTS");
}

#[tokio::test]
async fn asking_again_ends_the_first_invitation() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let owner = Tokens::of(house.log_in("ada@example.org").await).caller();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let reply = house
            .mounted
            .as_caller(&owner)
            .post("/api/v1/auth/users", &json!({"email": "max@example.org"}))
            .await;
        tokens.push(
            reply.assert_status(StatusCode::CREATED).value()["token"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let first = house.set_up(&tokens[0], "max@example.org", PASSWORD).await;
    first.assert_failed(StatusCode::BAD_REQUEST, "SETUP_LINK_INVALID");
    house
        .set_up(&tokens[1], "max@example.org", PASSWORD)
        .await
        .assert_ok();
    let said: Vec<Value> = house
        .said()
        .await
        .into_iter()
        .map(|(_, payload)| payload["email"].clone())
        .collect();
    assert_eq!(said, [json!("max@example.org")], "announced once");
}

#[tokio::test]
async fn an_invitation_does_not_replace_the_password_of_an_account() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    let bob = Tokens::of(house.log_in("bob@example.org").await).caller();
    let invite = house
        .mounted
        .as_caller(&bob)
        .post("/api/v1/auth/users", &json!({"email": "ada@example.org"}))
        .await;
    let token = invite.assert_status(StatusCode::CREATED).value()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let stolen = house
        .set_up(&token, "ada@example.org", "a password of bob's own 42")
        .await;
    stolen.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    house
        .set_up(&token, "ada@example.org", PASSWORD)
        .await
        .assert_ok();
    Tokens::of(house.log_in_at("rival", "ada@example.org").await);
}

#[tokio::test]
async fn users_of_another_tenant_do_not_exist() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let bob = Tokens::of(house.log_in("bob@example.org").await).caller();
    let ask = |id: String| {
        let client = house.mounted.as_caller(&bob);
        async move {
            let reply = client.get(&format!("/api/v1/auth/users/{id}")).await;
            let mut body = reply
                .assert_failed(StatusCode::NOT_FOUND, "USER_NOT_FOUND")
                .value();
            body.as_object_mut().unwrap().remove("request_id");
            body
        }
    };
    let foreign = ask(ada.subject.to_string()).await;
    assert_eq!(foreign, ask(UserId::generate(&Clock::system()).to_string()).await);
    let list = house
        .mounted
        .as_caller(&bob)
        .get("/api/v1/auth/users")
        .await
        .assert_ok()
        .value();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    let member = |tenant: String| house_member(&house, tenant, ada.subject);
    assert_eq!(member(acme.to_string()).await.unwrap(), "ada@example.org");
    let theirs = member(bob.tenant().unwrap().to_string()).await;
    assert!(theirs.unwrap_err().is("USER_NOT_FOUND"));
    for none in [String::new(), "x".to_owned()] {
        assert!(member(none).await.unwrap_err().is("INVALID_ID"));
    }
}

async fn house_member(house: &House, tenant: String, user: UserId) -> Result<String, RpcError> {
    let request = GetMemberRequest {
        tenant_id: tenant,
        user_id: user.to_string(),
    };
    Ok(house
        .rpc()
        .get_member(request)
        .await
        .map_err(RpcError::from)?
        .into_inner()
        .email)
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let owner = Tokens::of(house.log_in("ada@example.org").await).caller();
    let owner = house.mounted.as_caller(&owner);
    for number in 0..4 {
        let body = json!({"email": format!("m{number}@example.org")});
        owner
            .post("/api/v1/auth/users", &body)
            .await
            .assert_status(StatusCode::CREATED);
    }
    let emails = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["email"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = owner.get("/api/v1/auth/users?limit=3").await.assert_ok().value();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = owner
        .get(&format!("/api/v1/auth/users?limit=3&cursor={cursor}"))
        .await
        .assert_ok()
        .value();
    assert_eq!(
        emails(&first),
        ["ada@example.org", "m0@example.org", "m1@example.org"]
    );
    assert_eq!(emails(&second), ["m2@example.org", "m3@example.org"]);
    assert!(second.get("next_cursor").is_none());
    assert_eq!(
        owner
            .get("/api/v1/auth/users?limit=3&page=2")
            .await
            .assert_ok()
            .value()["items"],
        second["items"]
    );
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "cursor=x",
        "page=0",
        "page=1001",
        "other=1",
    ] {
        let reply = owner.get(&format!("/api/v1/auth/users?{query}")).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn who_lacks_the_permission_sees_and_adds_nobody() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let powerless = Mounted::new(house.identity.http(Permit::none()));
    let member = powerless.as_caller(&plaza_testkit::callers::member(tenant));
    member
        .get("/api/v1/auth/users")
        .await
        .assert_status(StatusCode::FORBIDDEN);
    let reply = member
        .post("/api/v1/auth/users", &json!({"email": "max@example.org"}))
        .await;
    reply.assert_status(StatusCode::FORBIDDEN);
    house
        .mounted
        .anonymous()
        .get("/api/v1/auth/users")
        .await
        .assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_is_asked_in_as_an_owner() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let owner = Tokens::of(house.log_in("ada@example.org").await).caller();
    for body in [
        json!({"email": "max@example.org", "role": "owner"}),
        json!({"email": "max@example.org", "status": "active"}),
        json!({"email": "max@example.org", "tenant_id": owner.tenant()}),
    ] {
        let reply = house
            .mounted
            .as_caller(&owner)
            .post("/api/v1/auth/users", &body)
            .await;
        reply.assert_status(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let body = json!({"email": "max@example.org", "name": "a\u{7}b"});
    let reply = house
        .mounted
        .as_caller(&owner)
        .post("/api/v1/auth/users", &body)
        .await;
    reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_NAME");
}

#[tokio::test]
async fn a_repeated_request_asks_in_once_and_is_answered_with_the_first_link() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let owner = Tokens::of(house.log_in("ada@example.org").await).caller();
    let ask = async |key: &str, email: &str| {
        let request = http::Request::post("/api/v1/auth/users")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(axum::body::Body::from(json!({"email": email}).to_string()))
            .unwrap();
        house.mounted.as_caller(&owner).send(request).await
    };
    let first = ask("one", "max@example.org")
        .await
        .assert_status(StatusCode::CREATED);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = ask("one", "max@example.org")
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.headers["cache-control"], "no-store");
    assert_eq!(first.body, again.body);
    ask("one", "eve@example.org")
        .await
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH");
    assert_eq!(
        house.count("SELECT count(*) FROM identity.one_time_tokens").await,
        2
    );
    let token = first.value()["token"].as_str().unwrap().to_owned();
    // What is kept of the answer is no link; nor is it anywhere else, though it was answered twice.
    assert_eq!(house.count("SELECT count(*) FROM identity.once").await, 1);
    assert_eq!(house.tables_that_show(&token).await, Vec::<String>::new());
    house
        .set_up(&token, "max@example.org", PASSWORD)
        .await
        .assert_ok();
    // Another key is another request.
    ask("two", "max@example.org")
        .await
        .assert_failed(StatusCode::CONFLICT, "USER_EXISTS");
}
