//! Secrets that are known go in by every door. They are looked for wherever anything is written down.

use http::Method;
use plaza_testkit::otlp::Collector;
use plaza_testkit::smtp::SmtpServer;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::load::{people, sender};
use super::places;
use crate::client::{Api, answer};
use crate::front::{Front, Running, Topology};
use crate::plaza::folder;
use crate::story;

const OWNER: &str = "owner@acme.example";
const PASSWORD: &str = "CANARY-a-new-password-4711";

/// What must not show, and what it is.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn add(&mut self, what: &'static str, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 16, "{what} would be found anywhere");
        self.0.push((what, secret));
    }

    /// Each with where it stands: as it is, or as a dump writes bytes.
    fn found_in(&self, places: &[places::Place]) -> Vec<String> {
        let stands = |place: &places::Place, secret: &str| {
            let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            place.text.contains(secret) || place.text.contains(&hexadecimal)
        };
        let all = places
            .iter()
            .flat_map(|place| self.0.iter().map(move |canary| (place, canary)));
        all.filter(|(place, (_, secret))| stands(place, secret))
            .map(|(place, (what, _))| format!("{what} stands in {}", place.name))
            .collect()
    }

    /// The keys of the installation itself.
    fn add_keys(&mut self, plaza: &Running) {
        match plaza {
            Running::OneProcess(plaza) => {
                let secrets = std::fs::read_to_string(plaza.data().join("secrets.toml")).unwrap();
                let values = secrets.lines().filter_map(|line| line.split('"').nth(1));
                let before = self.0.len();
                for value in values {
                    // The key itself is no less secret without its name.
                    self.add("a key of the installation", value.rsplit(':').next().unwrap());
                }
                assert_eq!(self.0.len() - before, 4);
                let superuser = std::fs::read_to_string(plaza.data().join("postgres.password")).unwrap();
                self.add("the superuser's password", superuser.trim());
            }
            Running::Pieces(fleet) => {
                let ring = fleet.variable("ENCRYPTION_KEY");
                self.add("the encryption key", ring.rsplit(':').next().unwrap());
                self.add("the internal key", fleet.variable("PLAZA_INTERNAL_KEY"));
                self.add(
                    "the role key",
                    fleet.database().settings().role_key.expose_secret(),
                );
                self.add(
                    "the provider's app secret",
                    fleet.variable("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET"),
                );
            }
        }
    }

    /// What tenants give to be kept.
    async fn add_what_is_kept(&mut self, owner: &Api, tenant: &str) {
        const TOKEN: &str = "CANARYsendersTOKEN4711";
        const TEXTS: &str = "CANARYtextsTOKEN4711";
        const SECRET: &str = "CANARYtenantsSECRET4711";
        sender(owner, TOKEN).await;
        self.add("a sender's token", TOKEN);
        let body = json!({
            "channel": "sms", "name": "Texts", "account_sid": format!("AC{}", "0123456789abcdef".repeat(2)),
            "auth_token": TEXTS, "from": "+15005550006",
        });
        owner.post("/api/v1/notifications/senders", body).await.ok();
        self.add("a token for texts", TEXTS);
        let path = format!("/api/v1/admin/tenants/{tenant}/secrets/messaging/whatsapp_token");
        let put = owner.request(Method::PUT, &path).json(&json!({"value": SECRET}));
        assert_eq!(answer(put).await.status, 204);
        self.add("a tenant's secret", SECRET);
        owner.post_nothing(&format!("{path}/rotate")).await.ok();
    }

    /// An invitation, asked for twice under one key: the second answer has to come from somewhere.
    async fn add_an_invitation(&mut self, owner: &Api) {
        let body = json!({"email": "new@acme.example"});
        let ask = || {
            let asked = owner.request(Method::POST, "/api/v1/auth/users").json(&body);
            answer(asked.header("idempotency-key", "an-invitation"))
        };
        let (first, again) = (ask().await, ask().await);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(first.text(), again.text());
        self.add("an invitation", text(&first.ok()["token"]));
    }

    /// A link by mail, as somebody follows it who mistypes and then does not.
    async fn add_a_way_back_in(&mut self, plaza: &Running, mails: &SmtpServer) {
        let api = plaza.api();
        let forgot = api
            .post("/api/v1/auth/forgot-password", json!({"email": OWNER}))
            .await;
        assert_eq!(forgot.status, 202, "{}", forgot.text());
        let link = mails.mail_to(OWNER).await.link();
        assert_eq!(
            api.get(link.strip_prefix(&plaza.url("")).unwrap()).await.status,
            200
        );
        let token = link.split_once("token=").unwrap().1;
        for (password, status) in [("short", 422), (PASSWORD, 204)] {
            let body = json!({"token": token, "password": password});
            let reset = api.post("/api/v1/auth/reset-password", body).await;
            assert_eq!(reset.status, status, "{}", reset.text());
        }
        self.add("a link by mail", token);
    }

    /// What people know and get when they log in, with one try that fails.
    async fn add_sessions(&mut self, api: &Api) {
        const WRONG: &str = "CANARY-not-the-password-4711";
        let log_in = async |password: &str| {
            let body = json!({"email": OWNER, "password": password});
            api.post("/api/v1/auth/login", body).await
        };
        assert_eq!(log_in(WRONG).await.status, 401);
        let pair = log_in(PASSWORD).await.ok();
        let refresh = json!({"refresh_token": pair["refresh_token"]});
        let again = api.post("/api/v1/auth/refresh", refresh).await.ok();
        self.add("a password", PASSWORD);
        self.add("a password before", story::PASSWORD);
        self.add("a password that is wrong", WRONG);
        for pair in [pair, again] {
            self.add("a refresh token", text(&pair["refresh_token"]));
            let token = text(&pair["access_token"]);
            // Who it is for is no secret. That it is genuine is.
            self.add(
                "the signature of an access token",
                token.rsplit('.').next().unwrap(),
            );
            let with_token = api.with_token(&token);
            with_token.get("/api/v1/auth/me").await.ok();
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_secret_is_in_no_dump_no_log_no_trace_and_no_queue_in_one_process() {
    what_is_secret_is_in_no_dump_no_log_no_trace_and_no_queue(Topology::OneProcess).await;
}

#[tokio::test]
async fn what_is_secret_is_in_no_dump_no_log_no_trace_and_no_queue_in_pieces() {
    what_is_secret_is_in_no_dump_no_log_no_trace_and_no_queue(Topology::Pieces).await;
}

async fn what_is_secret_is_in_no_dump_no_log_no_trace_and_no_queue(topology: Topology) {
    let (collector, mails) = (Collector::start().await, SmtpServer::start().await);
    let (endpoint, url) = (collector.endpoint(), mails.url());
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("PLAZA_LOG", "debug"),
        ("PLAZA_NOTIFICATION__MAIL__URL", url.as_str()),
        ("PLAZA_NOTIFICATION__MAIL__FROM", "Plaza <no-reply@plaza.example>"),
    ];
    let mut plaza = Running::start_with(topology, &variables).await;
    if let Running::Pieces(fleet) = &plaza {
        places::tap(fleet).await;
    }
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let place = folder();
    people(&acme.owner, place.path()).await;

    let mut canaries = Canaries::default();
    canaries.add_keys(&plaza);
    canaries.add_what_is_kept(&acme.owner, &acme.id).await;
    canaries.add_an_invitation(&acme.owner).await;
    let template = story::template(&acme.owner).await;
    let campaign = story::campaign(&acme.owner, "Canaries", &template).await;
    story::send(&acme.owner, &campaign).await;
    story::completed(&acme.owner, &campaign).await;
    canaries.add_a_way_back_in(&plaza, &mails).await;
    canaries.add_sessions(&plaza.api()).await;

    let found = canaries.found_in(&places::all(&mut plaza, &collector).await);
    assert!(found.is_empty(), "{found:#?}");
}
