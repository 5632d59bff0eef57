//! Who takes part: two tenants with one of everything, and the seven kinds of callers.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::client::Api;
use crate::front::{Front, Running, Topology};
use crate::story::{self, Tenant};

/// A running Plaza with everybody in it.
pub(super) struct Stage {
    pub(super) plaza: Running,
    /// Whose objects are asked for.
    pub(super) acme: Tenant,
    pub(super) acmes: Objects,
    /// Who has no business with them.
    pub(super) rival: Tenant,
    pub(super) rivals: Objects,
    /// A tenant whose owner never came.
    pub(super) pending: String,
    /// A tenant that anything may become of.
    pub(super) spare: String,
    pub(super) actors: Vec<Actor>,
    numbers: AtomicU32,
}

/// A kind of caller.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) name: &'static str,
    pub(super) api: Api,
    /// The account, for callers that are somebody.
    pub(super) email: Option<String>,
}

/// One object of each kind that a path or a body can name. They stay as they are.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    pub(super) tenant: String,
    pub(super) user: String,
    pub(super) session: String,
    pub(super) role: String,
    pub(super) sender: String,
    pub(super) account: String,
    pub(super) suppression: String,
    pub(super) recipient: String,
    pub(super) phone: String,
    pub(super) import: String,
    pub(super) template: String,
    pub(super) campaign: String,
    pub(super) message: String,
    pub(super) conversation: String,
}

impl Stage {
    /// Starts Plaza and brings everybody in.
    pub(super) async fn open(topology: Topology) -> Self {
        let plaza = Running::start(topology).await;
        let admin = story::administrator(&plaza).await;
        let (acme, rival) = (
            story::tenant(&admin, "acme").await,
            story::tenant(&admin, "rival").await,
        );
        let pending = json!({"slug": "pending", "name": "Pending", "admin_email": "owner@pending.example"});
        let pending = id(&admin.post("/api/v1/admin/tenants", pending).await.ok());
        story::owner_link(&admin, &pending).await;
        let spare = json!({"slug": "spare", "name": "Spare", "admin_email": "owner@spare.example"});
        let spare = id(&admin.post("/api/v1/admin/tenants", spare).await.ok());
        story::owner_link(&admin, &spare).await;
        let (acmes, rivals) = (
            furnish(&plaza, &acme, "+4915117404").await,
            furnish(&plaza, &rival, "+4915117405").await,
        );
        let low = member(&acme, "low@acme.example", "Viewer").await;
        let foreign = member(&rival, "member@rival.example", "Administrator").await;
        let actor = |name, api: &Api, email: Option<&str>| Actor {
            name,
            api: api.clone(),
            email: email.map(str::to_owned),
        };
        let actors = vec![
            actor("anonymous", &plaza.api(), None),
            actor("bogus token", &bogus(&acme.owner, &rival.owner), None),
            actor("foreign user", &foreign, Some("member@rival.example")),
            actor("foreign owner", &rival.owner, Some("owner@rival.example")),
            actor("low role", &low, Some("low@acme.example")),
            actor("owner", &acme.owner, Some("owner@acme.example")),
            actor("platform admin", &admin, Some(story::ADMINISTRATOR)),
        ];
        Self {
            plaza,
            acme,
            acmes,
            rival,
            rivals,
            pending,
            spare,
            actors,
            numbers: AtomicU32::new(100),
        }
    }

    /// A number that nobody had before: names and addresses are made of it.
    pub(super) fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The kind of caller of this name.
    pub(super) fn actor(&self, name: &str) -> &Actor {
        self.actors.iter().find(|actor| actor.name == name).unwrap()
    }

    /// The caller once more, in a session that may be ended.
    pub(super) async fn another_session(&self, actor: &Actor) -> Api {
        match &actor.email {
            Some(email) => story::log_in(&self.plaza.api(), email).await,
            None => actor.api.clone(),
        }
    }

    /// A member of the first tenant whom nobody misses, in place of a caller who is somebody.
    pub(super) async fn somebody_else(&self, actor: &Actor) -> Api {
        match &actor.email {
            Some(_) => story::member(&self.acme.owner, &format!("gone{}@acme.example", self.number())).await,
            None => actor.api.clone(),
        }
    }
}

/// The id of what was made.
pub(super) fn id(made: &Value) -> String {
    let id = made["id"].as_str().or(made["user_id"].as_str());
    id.unwrap_or_else(|| panic!("no id: {made}")).to_owned()
}

/// Everything about it is right but the signature, which is of another token.
fn bogus(one: &Api, other: &Api) -> Api {
    let (claims, _) = one.token().unwrap().rsplit_once('.').unwrap();
    let (_, signature) = other.token().unwrap().rsplit_once('.').unwrap();
    one.with_token(&format!("{claims}.{signature}"))
}

/// A member with one of the default roles.
async fn member(tenant: &Tenant, email: &str, role: &str) -> Api {
    let api = story::member(&tenant.owner, email).await;
    let roles = tenant.owner.all("/api/v1/admin/roles").await;
    let role = id(roles.iter().find(|found| found["name"] == role).unwrap());
    let users = tenant.owner.all("/api/v1/auth/users").await;
    let user = id(users.iter().find(|user| user["email"] == email).unwrap());
    let path = format!("/api/v1/admin/roles/{role}/assignments");
    tenant.owner.post(&path, json!({"user_id": user})).await.ok();
    api
}

/// One of everything, a message that was sent among it.
async fn furnish(plaza: &Running, tenant: &Tenant, phones: &str) -> Objects {
    let owner = &tenant.owner;
    let make = async |path: &str, body: Value| id(&owner.post(path, body).await.ok());
    let slug = &tenant.slug;
    let phone = format!("{phones}120");
    let account = format!("10654035224{}", &phones[phones.len() - 4..]);
    let user = make(
        "/api/v1/auth/users",
        json!({"email": format!("invited@{slug}.example")}),
    )
    .await;
    let role = make(
        "/api/v1/admin/roles",
        json!({"name": "Sales", "permissions": ["campaigns.view"]}),
    )
    .await;
    let sender = json!({"name": "Second", "phone_number_id": account, "access_token": "token"});
    let sender = make("/api/v1/notifications/senders", sender).await;
    let suppression = json!({"address": format!("{phones}121"), "reason": slug});
    let suppression = make("/api/v1/notifications/suppressions", suppression).await;
    let recipient = json!({"name": format!("Ada of {slug}"), "phone": phone, "opted_in": true});
    let recipient = make("/api/v1/broadcast/recipients", recipient).await;
    let import = import(owner, &format!("{phones}122")).await;
    let template = json!({
        "name": format!("hello_{slug}"), "language": "en", "category": "MARKETING", "body": "Hello {{1}}",
        "variables": ["name"],
    });
    let template = make("/api/v1/broadcast/templates", template).await;
    let campaign = json!({"name": format!("Campaign of {slug}"), "template_id": template});
    let campaign = make("/api/v1/broadcast/campaigns", campaign).await;
    owner
        .post_nothing(&format!("/api/v1/broadcast/campaigns/{campaign}/send"))
        .await
        .ok();
    let path = format!("/api/v1/broadcast/campaigns/{campaign}");
    story::until(owner, &path, |campaign| campaign["state"] == "completed").await;
    let logs = owner.all("/api/v1/broadcast/logs").await;
    let message = logs[0]["message_id"].as_str().unwrap().to_owned();
    let conversation = conversation(plaza, owner, &format!("{phones}129")).await;
    let me = owner.get("/api/v1/auth/me").await.ok();
    let session = me["session_id"].as_str().unwrap().to_owned();
    let tenant = tenant.id.clone();
    Objects {
        tenant,
        user,
        session,
        role,
        sender,
        account,
        suppression,
        recipient,
        phone,
        import,
        template,
        campaign,
        message,
        conversation,
    }
}

/// Somebody writes to the number that the campaign went out from.
async fn conversation(plaza: &Running, owner: &Api, phone: &str) -> String {
    let senders = owner.all("/api/v1/notifications/senders").await;
    let sender = senders
        .iter()
        .find(|sender| sender["name"] == "Development")
        .unwrap();
    let written = json!({
        "phone_number_id": sender["phone_number_id"], "from": phone.trim_start_matches('+'), "text": "Hello",
    });
    let told = plaza
        .simulator_api()
        .post("/_simulator/whatsapp/inbound", written)
        .await;
    assert_eq!(told.ok()["status"], 200);
    id(&owner.all("/api/v1/notifications/conversations").await[0])
}

/// A file with a good and a bad row.
async fn import(owner: &Api, phone: &str) -> String {
    let file = format!("name,phone,opted_in\nBen,{phone},yes\nCleo,12,yes\n");
    let taken = owner
        .upload(
            "/api/v1/broadcast/recipients/import",
            "people.csv",
            file.into_bytes(),
            None,
        )
        .await;
    let import = id(&taken.ok());
    let path = format!("/api/v1/broadcast/imports/{import}");
    story::until(owner, &path, |import| import["state"] == "done_with_errors").await;
    import
}
