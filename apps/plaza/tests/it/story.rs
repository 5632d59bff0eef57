//! The steps that most tests begin with, each through the public API as a person would take it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Api;
use crate::front::Front;

/// The administrator's address.
pub(crate) const ADMINISTRATOR: &str = "admin@plaza.example";
/// Good enough for everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

const PATIENCE: Duration = Duration::from_secs(180);

/// A file of the repository's `testdata`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .canonicalize()
        .unwrap()
        .join(name)
}

/// Uses the setup link and logs in.
pub(crate) async fn administrator(plaza: &impl Front) -> Api {
    let api = plaza.api();
    set_password(&api, &plaza.setup_token(), ADMINISTRATOR).await;
    log_in(&api, ADMINISTRATOR).await
}

/// Uses a link.
pub(crate) async fn set_password(api: &Api, token: &str, email: &str) {
    let body = json!({"token": token, "email": email, "password": PASSWORD});
    api.post("/api/v1/auth/setup", body).await.ok();
}

/// Logs in.
pub(crate) async fn log_in(api: &Api, email: &str) -> Api {
    let pair = api
        .post(
            "/api/v1/auth/login",
            json!({"email": email, "password": PASSWORD}),
        )
        .await
        .ok();
    api.with_token(pair["access_token"].as_str().unwrap())
}

/// A tenant with an owner who has logged in.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) owner: Api,
}

/// Makes a tenant and takes its owner in.
pub(crate) async fn tenant(admin: &Api, slug: &str) -> Tenant {
    let email = format!("owner@{slug}.example");
    let body = json!({"slug": slug, "name": slug, "admin_email": email});
    let made = admin.post("/api/v1/admin/tenants", body).await.ok();
    let id = made["id"].as_str().unwrap().to_owned();
    let token = owner_link(admin, &id).await;
    set_password(admin, &token, &email).await;
    Tenant {
        owner: log_in(admin, &email).await,
        id,
        slug: slug.to_owned(),
    }
}

/// The token of the owner's link, as soon as provisioning is done.
pub(crate) async fn owner_link(admin: &Api, tenant: &str) -> String {
    let path = format!("/api/v1/admin/tenants/{tenant}/owner-link");
    let begun = Instant::now();
    loop {
        let answer = admin.post_nothing(&path).await;
        if answer.status.is_success() {
            return answer.json()["token"].as_str().unwrap().to_owned();
        }
        answer.assert_failed(409, "OWNER_PENDING");
        assert!(
            begun.elapsed() < PATIENCE,
            "the tenant is not provisioned after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Invites a member without any role, who sets a password and logs in.
pub(crate) async fn member(owner: &Api, email: &str) -> Api {
    let invited = owner
        .post("/api/v1/auth/users", json!({"email": email}))
        .await
        .ok();
    set_password(owner, invited["token"].as_str().unwrap(), email).await;
    log_in(owner, email).await
}

/// Imports a file and waits for the end; the import as it is then.
pub(crate) async fn import(owner: &Api, file: &Path) -> Value {
    let name = file.file_name().unwrap().to_str().unwrap();
    let content = std::fs::read(file).unwrap();
    let taken = owner
        .upload("/api/v1/broadcast/recipients/import", name, content, None)
        .await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    let path = format!(
        "/api/v1/broadcast/imports/{}",
        taken.json()["id"].as_str().unwrap()
    );
    until(owner, &path, |import| {
        !matches!(import["state"].as_str(), Some("uploaded" | "running"))
    })
    .await
}

/// Makes a marketing template; its id.
pub(crate) async fn template(owner: &Api) -> String {
    let body = json!({
        "name": "spring_sale", "language": "en", "category": "MARKETING",
        "body": "Hello {{1}}, the spring sale is on.", "variables": ["name"],
    });
    id(&owner.post("/api/v1/broadcast/templates", body).await.ok())
}

/// Makes a campaign; its id.
pub(crate) async fn campaign(owner: &Api, name: &str, template: &str) -> String {
    let body = json!({"name": name, "template_id": template});
    id(&owner.post("/api/v1/broadcast/campaigns", body).await.ok())
}

/// Starts sending.
pub(crate) async fn send(owner: &Api, campaign: &str) {
    let sent = owner
        .post_nothing(&format!("/api/v1/broadcast/campaigns/{campaign}/send"))
        .await;
    assert_eq!(sent.status, 202, "{}", sent.text());
}

/// Waits until nothing of the campaign is on its way; the campaign as it is then.
pub(crate) async fn completed(owner: &Api, campaign: &str) -> Value {
    let path = format!("/api/v1/broadcast/campaigns/{campaign}");
    until(owner, &path, |campaign| campaign["state"] == "completed").await
}

/// Reads an object until it is as wanted.
pub(crate) async fn until(api: &Api, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let found = api.get(path).await.ok();
        if wanted(&found) {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{path} is not as wanted after {PATIENCE:?}: {found}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn id(made: &Value) -> String {
    made["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id: {made}"))
        .to_owned()
}
