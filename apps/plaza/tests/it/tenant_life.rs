//! What becomes of a tenant is seen at every door: by sessions that stand, and at logins.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Api, answer};
use crate::front::{Front, Running, Topology};
use crate::story;

/// Five seconds are promised; what runs beside may make a machine slower than that.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn everybody_is_out_of_a_tenant_that_is_closed_and_in_again_when_it_is_open() {
    out_and_in_again(Topology::OneProcess).await;
}

#[tokio::test]
async fn everybody_is_out_of_a_tenant_that_is_closed_and_in_again_when_it_is_open_in_pieces() {
    out_and_in_again(Topology::Pieces).await;
}

async fn out_and_in_again(topology: Topology) {
    let mut plaza = Running::start(topology).await;
    let admin = story::administrator(&plaza).await;
    let (acme, rival) = (
        story::tenant(&admin, "acme").await,
        story::tenant(&admin, "rival").await,
    );
    let path = format!("/api/v1/admin/tenants/{}", acme.id);
    let step = async |name: &str| match name {
        "delete" => admin.delete(&path).await.ok(),
        name => admin.post_nothing(&format!("{path}/{name}")).await.ok(),
    };
    for (close, open) in [("suspend", "resume"), ("delete", "restore")] {
        let owner = story::log_in(&plaza.api(), "owner@acme.example").await;
        step(close).await;
        until_status(&owner, close, &[401, 403]).await;
        let login = log_in(&plaza.api(), "owner@acme.example").await;
        assert_eq!(
            login.json()["code"],
            "TENANT_SUSPENDED",
            "{close}: {}",
            login.text()
        );
        assert_eq!(
            rival.owner.get("/api/v1/auth/me").await.status,
            200,
            "{close}: the others stay"
        );
        step(open).await;
        let owner = story::log_in(&plaza.api(), "owner@acme.example").await;
        until_status(&owner, open, &[200]).await;
    }
    plaza.stop().await;
}

async fn log_in(api: &Api, email: &str) -> Answer {
    api.post(
        "/api/v1/auth/login",
        json!({"email": email, "password": story::PASSWORD}),
    )
    .await
}

async fn until_status(owner: &Api, why: &str, wanted: &[u16]) {
    let begun = Instant::now();
    loop {
        let status = owner.get("/api/v1/auth/me").await.status.as_u16();
        if wanted.contains(&status) {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{why}: still {status} after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{why} was seen after {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_owner_configures_the_tenant_and_nobody_elses() {
    let mut plaza = Running::start(Topology::OneProcess).await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let rival = story::tenant(&admin, "rival").await;
    let config = format!("/api/v1/admin/tenants/{}/config", acme.id);
    let put = async |api: &Api, seen: Option<&str>, body: &Value| {
        let request = api.request(Method::PUT, &config).json(body);
        let request = match seen {
            Some(seen) => request.header("if-match", seen),
            None => request,
        };
        answer(request).await
    };
    let body =
        json!({"messaging": {"quiet_hours": {"from": "21:00", "to": "08:00", "zone": "Europe/Berlin"}}});
    put(&acme.owner, None, &body)
        .await
        .assert_failed(428, "IF_MATCH_REQUIRED");
    let changed = put(&acme.owner, Some("\"v0\""), &body).await.ok();
    assert_eq!(changed["version"], 1);
    put(&acme.owner, Some("\"v0\""), &body)
        .await
        .assert_failed(412, "VERSION_MISMATCH");
    put(&rival.owner, Some("\"v1\""), &body)
        .await
        .assert_failed(404, "TENANT_NOT_FOUND");
    assert_eq!(
        admin.get(&config).await.ok()["namespaces"]["messaging"]["document"],
        body["messaging"]
    );
    plaza.stop().await;
}
