//! `plaza seed demo`: something to look at.

use http::Method;
use plaza_crypto::random_token;
use plaza_kernel::{Clock, TenantId};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::operator::Operator;
use crate::config::{Config, Environment};
use crate::hosting::Hosting;
use crate::local::{Attached, Purpose};
use crate::process::assemble;

/// Recipients whose numbers are kept free for fiction. The simulator tells of the last one that she cannot be reached.
const RECIPIENTS: &[(&str, &str, &str)] = &[
    ("Ada Example", "+12025550111", "US"),
    ("Ben Example", "+12025550112", "US"),
    ("Cleo Example", "+12025550126", "US"),
];

/// Makes the tenant `demo`.
///
/// # Errors
/// When there is one already, or the database is away.
pub(crate) async fn run(mut config: Config, environment: &Environment) -> anyhow::Result<()> {
    let attached = Attached::find(&mut config, environment, Purpose::Parts(&Hosting::whole())).await?;
    config.notification.development_sender = config.development.simulator;
    let mut assembly = assemble(
        &config,
        Some(&attached.local),
        &Hosting::whole(),
        &Clock::system(),
        String::new(),
    )?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    if let Some(identity) = &assembly.services.identity {
        identity.prepare().await?;
    }
    assembly.start_messaging(&tasks, &stop);
    let result = seed(&Operator::new(&assembly)).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    attached.release().await?;
    result
}

async fn seed(operator: &Operator<'_>) -> anyhow::Result<()> {
    let platform = operator.platform();
    let email = "owner@demo.example";
    let tenant = json!({"slug": "demo", "name": "Demo", "admin_email": email});
    let tenant = operator
        .must(&platform, Method::POST, "/api/v1/admin/tenants", tenant)
        .await?;
    let id: TenantId = serde_json::from_value(tenant["id"].clone())?;
    let path = format!("/api/v1/admin/tenants/{id}/owner-link");
    let link = operator
        .eventually(&platform, Method::POST, &path, Value::Null)
        .await?;
    let password = random_token();
    let setup = json!({"token": link["token"], "email": email, "password": password.expose_secret()});
    operator
        .must(&platform, Method::POST, "/api/v1/auth/setup", setup)
        .await?;

    let owner = operator.owner(id);
    for (name, phone, country) in RECIPIENTS {
        let recipient = json!({"name": name, "phone": phone, "country": country, "opted_in": true});
        operator
            .must(&owner, Method::POST, "/api/v1/broadcast/recipients", recipient)
            .await?;
    }
    let template = json!({
        "name": "welcome", "language": "en", "category": "MARKETING",
        "body": "Hello {{1}}, welcome to the demo.", "variables": ["name"],
    });
    operator
        .must(&owner, Method::POST, "/api/v1/broadcast/templates", template)
        .await?;
    println!("tenant    demo ({id})");
    println!("owner     {email}");
    println!("password  {}   (shown once)", password.expose_secret());
    Ok(())
}
