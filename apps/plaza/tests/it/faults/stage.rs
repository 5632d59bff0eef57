//! A fleet with a proxy before everything that may be at fault, and people of every kind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::Method;
use http::header::HOST;
use plaza_testkit::eventually;
use plaza_testkit::fault_proxy::FaultProxy;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::questions::{Outcome, Question};
use super::{Part, before};
use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::folder;
use crate::story;
use crate::superuser::Superuser;

const PATIENCE: Duration = Duration::from_secs(60);
/// How many recipients there are: numbers that are kept free for fiction.
const RECIPIENTS: usize = 100;
const OWNER: &str = "owner@acme.example";
const ME: &str = "/api/v1/auth/me";
const LIST: &str = "/api/v1/broadcast/recipients?limit=200";
const SERVICES: [(Part, &str); 5] = [
    (Part::Identity, "identity"),
    (Part::Tenancy, "tenancy"),
    (Part::Access, "access"),
    (Part::Notification, "notification"),
    (Part::Broadcast, "broadcast"),
];

pub(super) struct Stage {
    fleet: Fleet,
    superuser: Superuser,
    proxies: BTreeMap<Part, FaultProxy>,
    admin: Api,
    owner: Api,
    editor: Api,
    nobody: Api,
    gone: Api,
    template: String,
    made: AtomicU32,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let mut fleet = Fleet::builder()
            .count("worker-notification", 0)
            .count("worker-broadcast", 0)
            .prepare()
            .await;
        let database = FaultProxy::before_database(fleet.database()).await;
        let broker = FaultProxy::before_url(&fleet.vhost().url()).await;
        let settings = database.database_settings(fleet.database());
        let broker_url = broker.url(&fleet.vhost().url());
        fleet.tell("DATABASE_URL", settings.url.expose_secret());
        fleet.tell("RABBITMQ_URL", broker_url.expose_secret());
        let mut proxies = BTreeMap::from([(Part::Database, database), (Part::Broker, broker)]);
        for (part, name) in SERVICES {
            let proxy = before(&fleet.internal_address(name)).await;
            let url = format!("http://{}", proxy.address());
            fleet.tell(&format!("PLAZA_SERVICES__{}", name.to_ascii_uppercase()), url);
            proxies.insert(part, proxy);
        }
        fleet.spawn_all();
        fleet.all_ready().await;

        let admin = story::administrator(&fleet).await;
        let owner = story::tenant(&admin, "acme").await.owner;
        import(&owner).await;
        let nobody = story::member(&owner, "nobody@acme.example").await;
        let gone = story::log_in(&fleet.api(), "nobody@acme.example").await;
        let editor = story::member(&owner, "editor@acme.example").await;
        give_role(&owner, "editor@acme.example").await;
        let template = story::template(&owner).await;
        let campaign = story::campaign(&owner, "Spring", &template).await;
        story::send(&owner, &campaign).await;
        let stage = Self {
            superuser: Superuser::at(fleet.database()).await,
            proxies,
            admin,
            owner,
            editor,
            nobody,
            gone,
            template,
            made: AtomicU32::new(0),
            fleet,
        };
        stage.log_out().await;
        // The role and the messages are events away.
        for question in [Question::ByRole, Question::Logs] {
            eventually(PATIENCE, async || {
                let outcome = stage.ask(question).await;
                stage.is_right(question, &outcome)
            })
            .await;
        }
        for question in Question::ALL {
            let outcome = stage.ask(question).await;
            assert!(stage.is_right(question, &outcome), "{question:?}: {outcome}");
        }
        stage
    }

    /// Ends a session, and waits until the gateway knows.
    async fn log_out(&self) {
        let ended = self.gone.post_nothing("/api/v1/auth/logout").await;
        assert!(ended.status.is_success(), "{}", ended.text());
        eventually(PATIENCE, async || {
            let outcome = self.ask(Question::RevokedToken).await;
            self.is_right(Question::RevokedToken, &outcome)
        })
        .await;
    }

    pub(super) fn proxy(&self, part: Part) -> &FaultProxy {
        &self.proxies[&part]
    }

    /// A member with a role and one without, neither of whom has asked for anything yet.
    pub(super) async fn newcomers(&self) -> (Api, Api) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let [editor, nobody] = ["editor", "nobody"].map(|who| format!("{who}-{number}@acme.example"));
        let apis = (
            story::member(&self.owner, &editor).await,
            story::member(&self.owner, &nobody).await,
        );
        give_role(&self.owner, &editor).await;
        apis
    }

    /// Somebody wants the list that takes a right.
    pub(super) async fn list_as(&self, who: &Api) -> Outcome {
        Outcome::of(who.request(Method::GET, LIST)).await
    }

    pub(super) async fn ask(&self, question: Question) -> Outcome {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let request = match question {
            Question::Me => self.owner.request(Method::GET, ME),
            Question::LogIn => {
                let body = json!({"email": OWNER, "password": story::PASSWORD});
                self.fleet
                    .api()
                    .request(Method::POST, "/api/v1/auth/login")
                    .json(&body)
            }
            Question::ImportedList => self.owner.request(Method::GET, LIST),
            Question::NewCampaign => {
                let body = json!({"name": format!("campaign {number}"), "template_id": self.template});
                self.owner
                    .request(Method::POST, "/api/v1/broadcast/campaigns")
                    .json(&body)
            }
            Question::NewTenant => {
                let slug = format!("tenant-{number}");
                let email = format!("owner@{slug}.example");
                let body = json!({"slug": slug, "name": slug, "admin_email": email});
                self.admin
                    .request(Method::POST, "/api/v1/admin/tenants")
                    .json(&body)
            }
            Question::WrongToken => {
                let token = self.owner.token().unwrap();
                // The same claims with a signature of the same length.
                let (claims, signature) = token.rsplit_once('.').unwrap();
                let reversed: String = signature.chars().rev().collect();
                let forged = self.owner.with_token(&format!("{claims}.{reversed}"));
                forged.request(Method::GET, LIST)
            }
            Question::RevokedToken => self.gone.request(Method::GET, ME),
            Question::NoRights => self.nobody.request(Method::GET, LIST),
            Question::ByRole => self.editor.request(Method::GET, LIST),
            Question::AtHost => self.owner.request(Method::GET, ME).header(HOST, "acme.localhost"),
            Question::StrangeHost => self
                .owner
                .request(Method::GET, ME)
                .header(HOST, format!("stranger-{number}.localhost")),
            Question::Logs => self
                .owner
                .request(Method::GET, "/api/v1/broadcast/logs?limit=200"),
            Question::Senders => self.owner.request(Method::GET, "/api/v1/notifications/senders"),
            Question::NewSuppression => {
                let body = json!({"address": format!("+491511{number:07}"), "reason": "asked"});
                self.owner
                    .request(Method::POST, "/api/v1/notifications/suppressions")
                    .json(&body)
            }
        };
        Outcome::of(request).await
    }

    /// Whether it is what one gets when nothing is at fault.
    pub(super) fn is_right(&self, question: Question, outcome: &Outcome) -> bool {
        let Ok(answer) = &outcome.answer else {
            return false;
        };
        let (status, body) = (answer.status.as_u16(), answer.json());
        let lists = |count| body["items"].as_array().is_some_and(|items| items.len() == count);
        match question {
            Question::Me | Question::AtHost => status == 200 && body["email"] == OWNER,
            Question::LogIn => status == 200 && body["access_token"].is_string(),
            Question::ImportedList | Question::ByRole | Question::Logs => status == 200 && lists(RECIPIENTS),
            Question::Senders => status == 200 && lists(1),
            Question::NewCampaign | Question::NewTenant | Question::NewSuppression => {
                status == 201 && body["id"].is_string()
            }
            Question::WrongToken | Question::RevokedToken => status == 401,
            Question::NoRights => status == 403,
            Question::StrangeHost => status == 404 && body["code"] == "UNKNOWN_HOST",
        }
    }

    pub(super) async fn tenants(&self) -> u64 {
        self.superuser
            .number("SELECT count(*) FROM tenancy.tenants")
            .await
    }

    /// What tenancy has not handed to the broker yet.
    pub(super) async fn waiting_events(&self) -> u64 {
        self.superuser.number("SELECT count(*) FROM tenancy.outbox").await
    }

    /// Whether every tenant has an owner and nothing waits.
    pub(super) async fn everything_followed(&self) -> bool {
        let open = "SELECT count(*) FROM tenancy.tenants WHERE status <> 'active'";
        self.superuser.number(open).await == 0 && self.waiting_events().await == 0
    }

    pub(super) async fn end(&mut self) {
        self.fleet.stop().await;
    }
}

async fn import(owner: &Api) {
    let rows = (0..RECIPIENTS).map(|number| format!("{number},Ada,+120255501{number:02},US,yes\n"));
    let content = format!("id,name,phone,country,opted_in\n{}", rows.collect::<String>());
    let folder = folder();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, content).unwrap();
    let counts = story::import(owner, &file).await["counts"].take();
    assert_eq!(counts["valid"], RECIPIENTS, "{counts}");
}

/// Gives a member the role of editors.
async fn give_role(owner: &Api, email: &str) {
    let found = |items: Vec<Value>, key: &str, value: &str, id: &str| {
        let item = items.into_iter().find(|item| item[key] == value).unwrap();
        item[id].as_str().unwrap().to_owned()
    };
    // The roles of a new tenant are an event away.
    story::until(owner, "/api/v1/admin/roles?limit=200", |roles| {
        let roles = roles["items"].as_array().unwrap();
        roles.iter().any(|role| role["name"] == "Editor")
    })
    .await;
    let role = found(owner.all("/api/v1/admin/roles").await, "name", "Editor", "id");
    let user = found(owner.all("/api/v1/auth/users").await, "email", email, "user_id");
    let path = format!("/api/v1/admin/roles/{role}/assignments");
    owner.post(&path, json!({"user_id": user})).await.ok();
}
