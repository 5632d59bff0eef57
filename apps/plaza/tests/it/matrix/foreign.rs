//! What belongs to another tenant does not exist: its ids answer as any random id does, and nothing of it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plaza_kernel::{Clock, UserId};
use serde_json::{Value, json};

use super::operations::Operation;
use super::probes::NAMES;
use super::stage::{Objects, Stage, id};
use crate::client::{Answer, Api, answer};
use crate::superuser::Superuser;

const AUDIT: &str = "/api/v1/admin/audit";

/// An id that nothing has.
fn random() -> String {
    UserId::generate(&Clock::system()).to_string()
}

impl Objects {
    /// The same shape, and nothing of it exists. Numbers are none of the other tenant's either.
    fn nowhere() -> Self {
        Self {
            tenant: random(),
            user: random(),
            session: random(),
            role: random(),
            sender: random(),
            account: "30654035224999".to_owned(),
            suppression: random(),
            recipient: random(),
            phone: "+4915117409120".to_owned(),
            import: random(),
            template: random(),
            campaign: random(),
            message: random(),
            conversation: random(),
        }
    }
}

/// Every operation with ids in its path, each with the other tenant's and with random ones.
pub(super) async fn ids_in_paths(stage: &Stage, operations: &[Operation]) -> usize {
    let mut compared = 0;
    for operation in operations
        .iter()
        .filter(|operation| !operation.collections().is_empty())
    {
        let collections = operation.collections();
        let (foreign, nowhere, own) = (&stage.acmes, Objects::nowhere(), &stage.rivals);
        // One parameter after the other is somebody else's; those before it are the caller's own.
        for at in 0..collections.len() {
            // What has a name and no id is the same in every tenant.
            if NAMES.iter().any(|(named, _)| *named == collections[at]) {
                continue;
            }
            let ids = |objects: &Objects| -> Vec<String> {
                let of = |(position, collection): (usize, &&str)| match position < at {
                    true => own.of(collection),
                    false => objects.of(collection),
                };
                collections.iter().enumerate().map(of).collect()
            };
            let (theirs, nobodys) = (ids(foreign), ids(&nowhere));
            let theirs = answer(stage.request(operation, &stage.rival.owner, &theirs).await).await;
            let nobodys = answer(stage.request(operation, &stage.rival.owner, &nobodys).await).await;
            let what = format!("{} {} (parameter {at})", operation.method, operation.path);
            // Taking a role of one's own from somebody who does not have it is done already.
            let answers = match operation.rule.as_str() {
                "platform_admin" => [403, 403],
                "signature" => [401, 401],
                _ if at > 0 => [204, 404],
                _ => [404, 404],
            };
            assert!(
                answers.contains(&theirs.status.as_u16()),
                "{what}: {}",
                theirs.text()
            );
            assert_alike(&what, &theirs, &nobodys);
            compared += 1;
        }
    }
    compared
}

/// Every id that a query or a body can name. The names are compared with the document: one that is not here fails.
pub(super) async fn ids_elsewhere(stage: &Stage, operations: &[Operation], document: &Value) {
    let documented: BTreeSet<String> = operations
        .iter()
        .flat_map(|operation| operation.ids_outside_the_path(document))
        .collect();
    assert!(
        documented.len() >= 6,
        "ids in queries and bodies are not recognised: {documented:?}"
    );
    let (theirs, nobodys) = (
        named(stage, &stage.acmes).await,
        named(stage, &Objects::nowhere()).await,
    );
    let probed: BTreeSet<String> = theirs.keys().map(|name| (*name).to_owned()).collect();
    let missing: Vec<_> = documented.difference(&probed).collect();
    assert!(
        missing.is_empty(),
        "ids that nobody probed; add them to `named`: {missing:?}"
    );
    for (name, answers) in &theirs {
        for (theirs, nobodys) in answers.iter().zip(&nobodys[name]) {
            assert_alike(name, theirs, nobodys);
        }
    }
}

/// The other tenant's owner names these objects wherever a query or a body takes them.
async fn named(stage: &Stage, objects: &Objects) -> BTreeMap<&'static str, Vec<Answer>> {
    let (rival, own) = (&stage.rival.owner, &stage.rivals);
    let campaign = async |change: Value| {
        let mut body = json!({"name": "Spring", "template_id": own.template});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        rival.post("/api/v1/broadcast/campaigns", body).await
    };
    let change = async |change: Value| {
        let own = json!({"name": "Spring", "template_id": own.template});
        let own = rival.post("/api/v1/broadcast/campaigns", own).await;
        let path = format!("/api/v1/broadcast/campaigns/{}", id(&own.ok()));
        let change = rival
            .request(http::Method::PUT, &path)
            .header("if-match", "\"v1\"")
            .json(&change);
        answer(change).await
    };
    let estimate = async |change: Value| {
        let mut body = json!({"template_id": own.template});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        rival.post("/api/v1/broadcast/estimate", body).await
    };
    let assignments = |role: &str| format!("/api/v1/admin/roles/{role}/assignments");
    let internal_user = async |tenant: &str| {
        let body = json!({"tenant_id": tenant, "email": "mallory@rival.example", "role": "owner"});
        rival.post("/api/v1/auth/internal/users", body).await
    };
    // Whether a sender exists is asked when the campaign is sent.
    let with_sender = campaign(json!({"sender_id": objects.sender})).await;
    let sent = format!("/api/v1/broadcast/campaigns/{}/send", id(&with_sender.ok()));
    let sent = rival.post_nothing(&sent).await;
    assert!(
        sent.status.is_client_error(),
        "a campaign went out from nobody's sender: {}",
        sent.text()
    );
    let get = async |path: &str| rival.get(path).await;
    let internal_role = async |tenant: &str, user: &str| {
        let body = json!({"tenant_id": tenant, "user_id": user, "role": "viewer"});
        rival.post("/api/v1/auth/internal/roles", body).await
    };
    BTreeMap::from([
        (
            "create_campaign.template_id",
            vec![campaign(json!({"template_id": objects.template})).await],
        ),
        (
            "create_campaign.import_id",
            vec![campaign(json!({"audience": {"import_id": objects.import, "opted_in": true}})).await],
        ),
        ("create_campaign.sender_id", vec![with_sender, sent]),
        (
            "update_campaign.template_id",
            vec![change(json!({"template_id": objects.template})).await],
        ),
        (
            "update_campaign.import_id",
            vec![change(json!({"audience": {"import_id": objects.import, "opted_in": true}})).await],
        ),
        (
            "update_campaign.sender_id",
            vec![change(json!({"sender_id": objects.sender})).await],
        ),
        (
            "estimate.template_id",
            vec![estimate(json!({"template_id": objects.template})).await],
        ),
        (
            "estimate.import_id",
            vec![estimate(json!({"audience": {"import_id": objects.import, "opted_in": true}})).await],
        ),
        (
            "send_message.sender_id",
            vec![
                rival
                    .post(
                        "/api/v1/notifications/messages",
                        json!({"channel": "whatsapp", "to": "+4915117405128", "sender_id": objects.sender,
                            "template": {"name": "hello", "language": "en"}}),
                    )
                    .await,
            ],
        ),
        (
            "list_logs.source",
            vec![
                get(&format!(
                    "/api/v1/broadcast/logs?source=campaign:{}",
                    objects.campaign
                ))
                .await,
            ],
        ),
        (
            "assign_role.user_id",
            vec![
                rival
                    .post(&assignments(&own.role), json!({"user_id": objects.user}))
                    .await,
                rival
                    .post(&assignments(&objects.role), json!({"user_id": own.user}))
                    .await,
            ],
        ),
        (
            "create_internal_user.tenant_id",
            vec![internal_user(&objects.tenant).await],
        ),
        (
            "assign_internal_role.tenant_id",
            vec![internal_role(&objects.tenant, &own.user).await],
        ),
        (
            "assign_internal_role.user_id",
            vec![internal_role(&own.tenant, &objects.user).await],
        ),
        (
            "enable_menu.tenant_id",
            vec![
                rival
                    .post(
                        "/api/v1/admin/menus",
                        json!({"tenant_id": objects.tenant, "menu": "logs"}),
                    )
                    .await,
            ],
        ),
        (
            "disable_menu.tenant_id",
            vec![
                rival
                    .delete(&format!("/api/v1/admin/menus/logs?tenant_id={}", objects.tenant))
                    .await,
            ],
        ),
        (
            "list_logs.campaign_id",
            vec![
                get(&format!(
                    "/api/v1/broadcast/logs?campaign_id={}",
                    objects.campaign
                ))
                .await,
            ],
        ),
        (
            "list_logs.recipient_id",
            vec![
                get(&format!(
                    "/api/v1/broadcast/logs?recipient_id={}",
                    objects.recipient
                ))
                .await,
            ],
        ),
        (
            "list_recipients.import_id",
            vec![
                get(&format!(
                    "/api/v1/broadcast/recipients?import_id={}",
                    objects.import
                ))
                .await,
            ],
        ),
        (
            "list_recipients.phone",
            vec![
                get(&format!(
                    "/api/v1/broadcast/recipients?phone={}",
                    objects.phone.replace('+', "%2B")
                ))
                .await,
            ],
        ),
        (
            "list_messages.source",
            vec![
                get(&format!(
                    "/api/v1/notifications/messages?source=campaign:{}",
                    objects.campaign
                ))
                .await,
            ],
        ),
        (
            "list_audit.tenant_id",
            vec![get(&format!("{AUDIT}?tenant_id={}", objects.tenant)).await],
        ),
        (
            "list_audit.actor",
            vec![get(&format!("{AUDIT}?actor={}", objects.user)).await],
        ),
        (
            "export_audit.tenant_id",
            vec![get(&format!("{AUDIT}/export?tenant_id={}", objects.tenant)).await],
        ),
        (
            "export_audit.actor",
            vec![get(&format!("{AUDIT}/export?actor={}", objects.user)).await],
        ),
        (
            "verify_audit.tenant_id",
            vec![get(&format!("{AUDIT}/verify?tenant_id={}", objects.tenant)).await],
        ),
        (
            "suppress.address",
            vec![
                rival
                    .post(
                        "/api/v1/notifications/suppressions",
                        json!({"address": objects.phone}),
                    )
                    .await,
            ],
        ),
        (
            "add_recipient.phone",
            vec![
                rival
                    .post(
                        "/api/v1/broadcast/recipients",
                        json!({"phone": objects.phone, "opted_in": false}),
                    )
                    .await,
            ],
        ),
    ])
}

/// Equal but for what differs from request to request, and for values that the caller sent.
fn assert_alike(what: &str, theirs: &Answer, nobodys: &Answer) {
    assert_eq!(
        theirs.status,
        nobodys.status,
        "{what}: {}\n{}",
        theirs.text(),
        nobodys.text()
    );
    assert_eq!(sketch(theirs), sketch(nobodys), "{what}");
}

fn sketch(answer: &Answer) -> Value {
    let mut body = answer.json();
    assert!(
        !body.is_null() || answer.body.is_empty(),
        "not JSON: {}",
        answer.text()
    );
    // A refusal is equal to the byte but for the request; what a success made is the caller's own and has an id.
    let differ: &[&str] = match answer.status.is_success() {
        true => &["id", "created_at", "updated_at", "sender_id", "phone", "address"],
        false => &["request_id", "trace_id"],
    };
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !differ.contains(&name.as_str()));
    }
    body
}

/// Ids and numbers of the first tenant, as its own lists show them.
pub(super) async fn marks(stage: &Stage, lists: &[&Operation]) -> BTreeSet<String> {
    let mut marks = BTreeSet::new();
    for list in lists.iter().filter(|list| list.rule != "platform_admin") {
        let items = stage.acme.owner.all(&list.path).await;
        assert!(!items.is_empty(), "{}: nothing that could leak", list.id);
        items.iter().for_each(|item| collect_marks(item, &mut marks));
    }
    assert!(marks.contains(&stage.acmes.message) && marks.contains(&stage.acmes.phone));
    // Who runs the platform made both tenants, and both are told so.
    let admin = stage
        .actor("platform admin")
        .api
        .get("/api/v1/auth/me")
        .await
        .ok();
    let admin = admin["user_id"].as_str().or(admin["id"].as_str()).unwrap();
    assert!(marks.remove(admin), "the tenant's audit does not say who made it");
    marks
}

fn collect_marks(value: &Value, marks: &mut BTreeSet<String>) {
    let is_id = |text: &str| text.len() == 36 && text.matches('-').count() == 4;
    match value {
        Value::String(text) if is_id(text) || text.starts_with('+') || text.contains('@') => {
            marks.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect_marks(item, marks)),
        Value::Object(members) => members.values().for_each(|member| collect_marks(member, marks)),
        _ => {}
    }
}

/// The other tenant's lists show nothing of the first, nor when they begin where a list of the first was left.
pub(super) async fn lists_show_nothing(stage: &Stage, lists: &[&Operation], marks: &BTreeSet<String>) {
    for list in lists.iter().filter(|list| list.rule != "platform_admin") {
        let first = stage.acme.owner.get(&format!("{}?limit=1", list.path)).await.ok();
        let cursor = first["next_cursor"]
            .as_str()
            .map(|cursor| format!("?cursor={cursor}"));
        for query in [Some(String::new()), cursor].into_iter().flatten() {
            let page = stage.rival.owner.get(&format!("{}{query}", list.path)).await;
            let text = page.ok().to_string();
            let shown: Vec<_> = marks.iter().filter(|mark| text.contains(mark.as_str())).collect();
            assert!(
                shown.is_empty(),
                "{}{query} shows another tenant's {shown:?}",
                list.path
            );
        }
    }
}

/// What else a rival may think of.
pub(super) async fn take_over(stage: &Stage) {
    let rival: &Api = &stage.rival.owner;
    let sender = json!({"name": "Theirs", "phone_number_id": stage.acmes.account, "access_token": "token"});
    let named = rival.post("/api/v1/notifications/senders", sender).await;
    assert_eq!(
        named.status,
        201,
        "who names a number first must not keep others out: {}",
        named.text()
    );
    for tenant in ["acme", "rival"] {
        let login =
            json!({"email": "owner@rival.example", "password": crate::story::PASSWORD, "tenant": tenant});
        let answered = rival.post("/api/v1/auth/login", login).await;
        assert_eq!(
            answered.status.is_success(),
            tenant == "rival",
            "{tenant}: {}",
            answered.text()
        );
    }
}

/// A fingerprint of every table's rows of this tenant, once nothing moves any more.
pub(super) async fn fingerprints(stage: &Stage) -> BTreeMap<String, String> {
    let superuser = stage.plaza.superuser().await;
    let mut before = fingerprint(&superuser, &stage.acme.id).await;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = fingerprint(&superuser, &stage.acme.id).await;
        if now == before {
            return now;
        }
        before = now;
    }
    panic!("the tenant does not come to rest: {before:?}");
}

async fn fingerprint(superuser: &Superuser, tenant: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for table in superuser.tables_with("tenant_id").await {
        let sql = format!(
            "SELECT concat(count(*), ' ', md5(string_agg(t::text, E'\\n' ORDER BY t::text)))
               FROM {table} t WHERE tenant_id::text = $1"
        );
        let rows = superuser.rows(&sql, &[&tenant]).await;
        found.insert(table, rows[0].get(0));
    }
    assert!(
        found.len() > 15,
        "every service has tenants' tables: {:?}",
        found.keys()
    );
    found
}
