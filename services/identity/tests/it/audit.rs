//! Who came in, who was refused, and what was done to whom: in the audit, by ids alone.

use http::StatusCode;
use plaza_audit::{AuditFilter, list};
use plaza_contracts::services::IDENTITY;
use plaza_kernel::{PageQuery, Scope};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Tokens};
use crate::user_update::{member, path};

/// What was done, oldest first.
async fn told(house: &House, scope: impl Into<Scope>) -> Vec<Value> {
    let database = house.database.of(IDENTITY);
    let all = list(
        &database,
        scope.into(),
        &AuditFilter::default(),
        PageQuery::default(),
    )
    .await;
    let items = all.unwrap().items;
    items.iter().rev().map(plaza_audit::AuditRow::to_json).collect()
}

#[tokio::test]
async fn a_login_is_told_in_its_tenant_and_a_refused_one_on_the_platform() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let ada = Tokens::of(house.log_in_at("acme", "ada@example.org").await).caller();
    for email in ["ada@example.org", "nobody@example.org"] {
        let body = json!({"email": email, "password": "not the password"});
        let refused = house.post("/api/v1/auth/login", body).await;
        refused.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    }

    let all = told(&house, tenant).await;
    let login = all.iter().find(|row| row["action"] == "sessions.login").unwrap();
    assert_eq!(login["outcome"], "done");
    assert_eq!(
        login["actor"],
        json!({"kind": "person", "id": ada.subject, "role": "owner"})
    );
    // A known account and an unknown one leave the same, so that neither takes longer.
    let platform = told(&house, Scope::Platform).await;
    let refused: Vec<&Value> = platform.iter().filter(|row| row["outcome"] == "denied").collect();
    let targets: Vec<&Value> = refused.iter().map(|row| &row["target"]["id"]).collect();
    assert_eq!(targets, [&json!(ada.subject), &Value::Null]);
    assert!(refused.iter().all(|row| row["actor"]["kind"] == "nobody"));
    let text = Value::from([all, platform].concat()).to_string();
    assert!(
        !text.contains("example.org") && !text.contains("password\""),
        "{text}"
    );
}

#[tokio::test]
async fn who_has_the_right_password_and_may_not_enter_is_told_of_too() {
    let house = House::open().await;
    house.tenant_with_owner("rival", "eve@example.org").await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let ada = Tokens::of(house.log_in_at("acme", "ada@example.org").await).caller();
    // Of another tenant, of one that there is not, and of one that is closed.
    for tenant in ["rival", "nowhere"] {
        let refused = house.log_in_at(tenant, "ada@example.org").await;
        refused.assert_failed(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    }
    house.know_tenant("acme", "suspended");
    let refused = house.log_in("ada@example.org").await;
    refused.assert_failed(StatusCode::FORBIDDEN, "TENANT_SUSPENDED");

    let platform = told(&house, Scope::Platform).await;
    let refused: Vec<&Value> = platform.iter().filter(|row| row["outcome"] == "denied").collect();
    assert_eq!(refused.len(), 3, "{platform:?}");
    for row in refused {
        assert_eq!(
            (&row["action"], &row["target"]["id"], &row["actor"]["kind"]),
            (&json!("sessions.login"), &json!(ada.subject), &json!("nobody"))
        );
    }
    let logins = told(&house, acme).await;
    let logins = logins.iter().filter(|row| row["action"] == "sessions.login");
    assert_eq!(logins.count(), 1, "only the one that was let in");
}

#[tokio::test]
async fn what_becomes_of_a_member_is_told_with_what_it_was_before() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let ben = member(&house, &ada, "acme", "ben@example.org").await;
    let client = house.mounted.as_caller(&ada);
    for change in [
        json!({"role": "owner"}),
        json!({"status": "disabled", "role": "member"}),
    ] {
        client.put(&path(ben.subject), &change).await.assert_ok();
    }
    client.delete(&path(ben.subject)).await.assert_ok();

    let all = told(&house, acme).await;
    let of = |action: &str| -> Vec<(Value, Value)> {
        let rows = all
            .iter()
            .filter(|row| row["action"] == action && row["target"]["id"] == json!(ben.subject));
        rows.map(|row| (row["before"].clone(), row["after"].clone()))
            .collect()
    };
    let is = |role: &str, status: &str| json!({"role": role, "status": status});
    assert_eq!(
        of("users.update"),
        [
            (is("member", "active"), is("owner", "active")),
            (is("owner", "active"), is("member", "disabled"))
        ]
    );
    assert_eq!(of("users.delete"), [(is("member", "disabled"), Value::Null)]);
}

#[tokio::test]
async fn what_people_do_to_their_own_account_is_told() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let first = Tokens::of(house.log_in("ada@example.org").await).caller();
    let second = Tokens::of(house.log_in("ada@example.org").await).caller();
    let client = house.mounted.as_caller(&second);
    let said = json!({"name": "Ada Lovelace", "timezone": "Europe/London"});
    client.put("/api/v1/auth/me", &said).await.assert_ok();
    // Twice: what has ended does not end again.
    for _ in 0..2 {
        let session = format!("/api/v1/auth/me/sessions/{}", first.session);
        client.delete(&session).await.assert_ok();
    }
    for _ in 0..2 {
        client.post("/api/v1/auth/logout", &json!({})).await.assert_ok();
    }

    let all = told(&house, acme).await;
    let of = |action: &str| -> Vec<(Value, Value)> {
        let rows = all.iter().filter(|row| row["action"] == action);
        rows.map(|row| (row["target"]["id"].clone(), row["after"].clone()))
            .collect()
    };
    assert_eq!(
        of("me.update"),
        [(json!(second.subject), json!({"said": ["name", "timezone"]}))]
    );
    assert_eq!(
        of("sessions.revoke"),
        [(json!(first.session), json!({"user_id": first.subject}))]
    );
    assert_eq!(of("sessions.logout"), [(json!(second.session), Value::Null)]);
    assert!(!Value::from(all).to_string().contains("Lovelace"));
}

#[tokio::test]
async fn an_address_that_is_proven_by_link_or_code_is_told_of() {
    let house = House::open().await;
    house.know_tenant("acme", "active");
    for (email, by_code) in [("max@example.org", false), ("eva@example.org", true)] {
        let body = json!({"email": email, "password": PASSWORD, "tenant": "acme"});
        let registered = house.post("/api/v1/auth/register", body).await;
        registered.assert_status(StatusCode::ACCEPTED);
        house.mails().await;
        let mail = house.newest("verify");
        let proof = match by_code {
            true => json!({"email": email, "code": mail.value("code")}),
            false => json!({"token": mail.token()}),
        };
        house.post("/api/v1/auth/verify-email", proof).await.assert_ok();
    }
    let all = told(&house, Scope::Platform).await;
    let proven = all.iter().filter(|row| row["action"] == "emails.verify");
    assert_eq!(proven.filter(|row| !row["target"]["id"].is_null()).count(), 2);
}

/// A column that is not declared would keep values under keys that are said to be unused.
#[tokio::test]
async fn every_sealed_column_is_known_to_the_vault() {
    let house = House::open().await;
    let mut known: Vec<String> = plaza_vault::registered(IDENTITY)
        .map(|column| format!("{}.{}", column.table, column.column))
        .collect();
    known.sort();
    let sql = "SELECT table_schema || '.' || table_name || '.' || column_name FROM information_schema.columns
                WHERE table_schema = 'identity' AND column_name ~ '(sealed|token$)' ORDER BY 1";
    let rows = house.database.admin().await.query(sql, &[]).await.unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, known);
}
