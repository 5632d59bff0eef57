//! Operations for other services: for the public they do not exist, and inside each is for the services that a table names.

use http::{Method, StatusCode};
use plaza_crypto::KeyRing;
use plaza_testkit::TestDatabase;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{Answer, Api, answer};
use crate::fleet::Fleet;
use crate::front::{Front, Running, Topology};
use crate::plaza::{Plaza, complaint, folder, printed};
use crate::story;

const USERS: &str = "/api/v1/auth/internal/users";
const ROLES: &str = "/api/v1/auth/internal/roles";
/// Both, and who answers.
const OPERATIONS: [(&str, &str); 2] = [(USERS, "identity"), (ROLES, "access")];
/// What else these answer, to people.
const OTHERS: [(&str, &str); 2] = [
    ("/api/v1/auth/login", "identity"),
    ("/api/v1/admin/roles", "access"),
];
const TOKEN: &str = "x-plaza-internal-token";

/// What an operator's curl would send: with these tokens.
async fn ask(fleet: &Fleet, service: &str, path: &str, tokens: &[&str], body: &Value) -> Answer {
    let api = Api::at(&format!("http://{}", fleet.internal_address(service)));
    let request = tokens
        .iter()
        .fold(api.request(Method::POST, path), |request, token| {
            request.header(TOKEN, *token)
        });
    answer(request.json(body)).await
}

async fn token(fleet: &Fleet, issuer: &str, audience: &str) -> String {
    let output = fleet
        .run(&["internal-token", "--as", issuer, "--for", audience])
        .await;
    printed(&output).trim().to_owned()
}

#[tokio::test]
async fn one_process_shows_them_to_nobody() {
    nobody_finds_them(Topology::OneProcess).await;
}

#[tokio::test]
async fn the_gateway_of_pieces_shows_them_to_nobody() {
    nobody_finds_them(Topology::Pieces).await;
}

async fn nobody_finds_them(topology: Topology) {
    let mut plaza = Running::start(topology).await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let body = json!({"tenant_id": acme.id, "email": "mallory@acme.example", "role": "owner"});
    for (path, _) in OPERATIONS {
        for caller in [&plaza.api(), &acme.owner, &admin] {
            let found = caller.post(path, body.clone()).await;
            found.assert_failed(404, "NOT_FOUND");
            let random = caller.post(&format!("{path}/nothing"), body.clone()).await;
            assert_eq!(shape(&found), shape(&random), "like an address that is none");
            for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
                let other = answer(caller.request(method.clone(), path)).await;
                assert_eq!(other.status, StatusCode::NOT_FOUND, "{method} {path}");
            }
        }
        for spelled in [
            path.to_uppercase(),
            format!("{path}/"),
            path.replace("internal", "Internal"),
            path.replace("internal", "%69nternal"),
            path.replace("auth/internal", "auth//internal"),
            path.replace("auth/internal", "auth/x/../internal"),
            path.replace("auth/internal", "auth/.;/internal"),
        ] {
            let status = admin.post(&spelled, body.clone()).await.status;
            assert!(
                [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&status),
                "{spelled}: {status}"
            );
        }
    }
    plaza.stop().await;
}

/// All that an answer says but which request it was.
fn shape(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    for own in ["request_id", "trace_id"] {
        body.as_object_mut().map(|members| members.remove(own));
    }
    (answer.status.as_u16(), body)
}

#[tokio::test]
async fn each_is_for_the_services_that_the_table_names() {
    let mut fleet = Fleet::start().await;
    let admin = story::administrator(&fleet).await;
    let acme = story::tenant(&admin, "acme").await;
    let users = json!({"tenant_id": acme.id, "email": "new@acme.example", "role": "member"});
    for (path, service) in OPERATIONS {
        ask(&fleet, service, path, &[], &users)
            .await
            .assert_failed(401, "INTERNAL_TOKEN_INVALID");
        let person = acme.owner.token().unwrap();
        ask(&fleet, service, path, &[person], &users)
            .await
            .assert_failed(401, "INTERNAL_TOKEN_INVALID");
        for issuer in ["identity", "access", "notification", "broadcast"] {
            let token = token(&fleet, issuer, service).await;
            let refused = ask(&fleet, service, path, &[&token], &users).await;
            refused.assert_failed(403, "CALLER_NOT_ALLOWED");
        }
        // It brings the requests of the public: for those there is nothing here.
        let gateway = token(&fleet, "gateway", service).await;
        ask(&fleet, service, path, &[&gateway], &users)
            .await
            .assert_failed(404, "NOT_FOUND");
        let other = token(&fleet, "tenancy", "notification").await;
        ask(&fleet, service, path, &[&other], &users)
            .await
            .assert_failed(401, "INTERNAL_TOKEN_INVALID");
        let good = token(&fleet, "tenancy", service).await;
        ask(&fleet, service, path, &[&good, &good], &users)
            .await
            .assert_failed(401, "INTERNAL_TOKEN_INVALID");
    }
    // Nothing else there is for it.
    for (path, service) in OTHERS {
        let good = token(&fleet, "tenancy", service).await;
        ask(&fleet, service, path, &[&good], &users)
            .await
            .assert_failed(403, "CALLER_NOT_ALLOWED");
    }
    let good = token(&fleet, "tenancy", "identity").await;
    let made = ask(&fleet, "identity", USERS, &[&good], &users).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let user = made.json()["user_id"].clone();
    let member = acme.owner.all("/api/v1/auth/users").await;
    let member = member
        .iter()
        .find(|member| member["email"] == "new@acme.example")
        .unwrap();
    assert_eq!(member["role"], "member", "{member}");

    let good = token(&fleet, "tenancy", "access").await;
    let role = json!({"tenant_id": acme.id, "user_id": user, "role": "viewer"});
    let given = ask(&fleet, "access", ROLES, &[&good], &role).await;
    assert_eq!(given.status, 204, "{}", given.text());
    // The nil tenant is no tenant, and a name that a tenant may choose is no role.
    for (tenant, role) in [
        ("00000000-0000-0000-0000-000000000000", "viewer"),
        ("", "viewer"),
        (acme.id.as_str(), "Platform Admin"),
    ] {
        let body = json!({"tenant_id": tenant, "user_id": user, "role": role});
        let refused = ask(&fleet, "access", ROLES, &[&good], &body).await;
        assert!(
            [404, 422].contains(&refused.status.as_u16()),
            "{tenant} {role}: {}",
            refused.text()
        );
    }
    fleet.stop().await;
}

/// The internal listener of a laptop serves them too, with the key that was made at its first start.
#[tokio::test]
async fn one_process_shows_them_inside_to_whom_the_table_names() {
    let mut plaza = Plaza::start().await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let inside = Api::at(&plaza.internal_url(""));
    let user = json!({"tenant_id": acme.id, "email": "new@acme.example", "role": "member"});
    let ask = async |issuer: Option<&str>| {
        let request = inside.request(Method::POST, USERS).json(&user);
        let Some(issuer) = issuer else {
            return answer(request).await;
        };
        let token = plaza
            .run(&["internal-token", "--as", issuer, "--for", "identity"])
            .await;
        answer(request.header(TOKEN, printed(&token).trim())).await
    };
    ask(None).await.assert_failed(401, "INTERNAL_TOKEN_INVALID");
    ask(Some("broadcast"))
        .await
        .assert_failed(403, "CALLER_NOT_ALLOWED");
    let made = ask(Some("tenancy")).await;
    assert_eq!(made.status, 201, "{}", made.text());
    plaza.stop().await;
}

/// Without a key nobody could prove who they are.
#[tokio::test]
async fn one_process_without_an_internal_key_does_not_have_them() {
    let database = TestDatabase::fresh(&[]).await;
    let settings = database.settings();
    let mut plaza = Plaza::builder()
        .env("DATABASE_URL", settings.url.expose_secret())
        .env("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret())
        .env("ENCRYPTION_KEY", KeyRing::generate().expose_secret())
        .arg("serve")
        .prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    let asked = async |plaza: &Plaza| Api::at(&plaza.internal_url("")).post(USERS, json!({})).await;
    plaza.restart().await;
    assert_eq!(asked(&plaza).await.status, 404);
    plaza.stop().await;
    plaza.set(
        "PLAZA_INTERNAL_KEY",
        Some("a key that nobody has to guess in tests"),
    );
    plaza.restart().await;
    asked(&plaza).await.assert_failed(401, "INTERNAL_TOKEN_INVALID");
    plaza.stop().await;
}

#[tokio::test]
async fn a_token_by_hand_needs_a_key_and_two_parts() {
    let plaza = Plaza::builder().prepare(folder());
    let told = complaint(
        &plaza
            .run(&["internal-token", "--as", "tenancy", "--for", "nonsense"])
            .await,
    );
    assert!(told.contains("`nonsense` is no part of Plaza"), "{told}");
    let told = complaint(
        &plaza
            .run(&["internal-token", "--as", "tenancy", "--for", "identity"])
            .await,
    );
    assert!(
        told.contains("no internal.key (PLAZA_INTERNAL_KEY) is configured"),
        "{told}"
    );
    assert!(!plaza.data().exists(), "nothing was made");
}
