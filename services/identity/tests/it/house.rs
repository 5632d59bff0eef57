//! Identity mounted alone, with a tenancy that knows what a test tells it.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, StatusCode};
use plaza_contracts::edge::ClientAddress;
use plaza_contracts::events::TenantCreated;
use plaza_contracts::proto::identity::accounts_client::AccountsClient;
use plaza_contracts::proto::identity::identity_client::IdentityClient;
use plaza_contracts::proto::identity::members_client::MembersClient;
use plaza_contracts::proto::identity::sessions_client::SessionsClient;
use plaza_contracts::proto::identity::{CheckSessionRequest, CreateOwnerLinkRequest};
use plaza_contracts::services;
use plaza_contracts::tokens::AccessClaims;
use plaza_crypto::KeyRing;
use plaza_database::Database;
use plaza_identity::{
    EmailVerification, Identity, IdentityConfig, PasswordConfig, Rate, Registration, ThrottleConfig,
};
use plaza_kernel::{Caller, Clock, Failure, ManualClock, TenantId};
use plaza_messaging::outbox;
use plaza_rpc::{Carried, Directory, RpcError, RpcSettings, Transport, carry};
use plaza_testkit::{Mounted, Permit, Reply, TestDatabase, eventually, settle};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

use crate::stub_access::StubAccess;
use crate::stub_notification::{StubNotification, Taken};
use crate::stub_tenancy::Tenants;

pub(crate) const PASSWORD: &str = "violet harbour 7 lanterns";

/// Identity and what it stands on.
pub(crate) struct House {
    pub(crate) database: TestDatabase,
    pub(crate) identity: Identity,
    pub(crate) mounted: Mounted,
    pub(crate) clock: Clock,
    pub(crate) time: ManualClock,
    pub(crate) directory: Directory,
    pub(crate) ring: KeyRing,
    pub(crate) access: StubAccess,
    pub(crate) notification: StubNotification,
    tenants: Tenants,
}

/// The pair of tokens of one login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    #[track_caller]
    pub(crate) fn of(reply: Reply) -> Self {
        let body = reply.assert_status(StatusCode::OK).value();
        assert_eq!(
            (body["token_type"].as_str(), body["expires_in"].as_u64()),
            (Some("Bearer"), Some(600))
        );
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// The claims, not verified.
    pub(crate) fn claims(&self) -> AccessClaims {
        let payload = self.access.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    pub(crate) fn caller(&self) -> Caller {
        self.claims().caller().unwrap()
    }
}

/// Everybody may make an account, and nobody has to prove an address.
pub(crate) fn open_house() -> IdentityConfig {
    IdentityConfig {
        registration: Registration::Open,
        email_verification: Some(EmailVerification::Offered),
        public_url: "https://plaza.example/".to_owned(),
        ..IdentityConfig::default()
    }
}

/// Nobody is slowed down: for tests of something else.
pub(crate) fn unhurried() -> ThrottleConfig {
    let often: Rate = "100000/s".parse().unwrap();
    ThrottleConfig {
        loopback_exempt: false,
        login_per_client: often,
        login_per_account: often,
        login_per_tenant: often,
        login_overall: often,
        free_failures: 100_000,
        longest_pause_seconds: 1,
        register_per_client: often,
        recovery_per_client: often,
        recovery_per_mailbox: often,
        code_per_mailbox: often,
        password_per_account: often,
        refresh_per_session: often,
    }
}

/// Hashes that cost next to nothing: for tests that make many.
pub(crate) fn cheap() -> PasswordConfig {
    PasswordConfig {
        memory_kib: 8,
        passes: 1,
        ..PasswordConfig::default()
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(open_house()).await
    }

    pub(crate) async fn with(config: IdentityConfig) -> Self {
        let database = TestDatabase::fresh(&[plaza_identity::schema()]).await;
        let (clock, time) = Clock::manual(Clock::system().now());
        let ring = KeyRing::parse(&KeyRing::generate()).unwrap();
        let directory = Directory::new(RpcSettings::default()).acting_as(services::TENANCY);
        let (tenants, access) = (Tenants::default(), StubAccess::default());
        let notification = StubNotification::default();
        notification.host(&directory);
        access.host(&directory);
        tenants.host(&directory);
        let identity = Identity::new(
            config,
            database.of(services::IDENTITY),
            &directory.acting_as(services::IDENTITY),
            clock.clone(),
            ring.clone(),
        );
        directory.host(services::IDENTITY, identity.grpc());
        let mounted = Mounted::new(identity.http(Permit::all()));
        Self {
            database,
            identity,
            mounted,
            clock,
            time,
            directory,
            ring,
            access,
            notification,
            tenants,
        }
    }

    /// The same service again: another process on the same database.
    pub(crate) fn another(&self, database: Database) -> Identity {
        Identity::new(
            IdentityConfig::default(),
            database,
            &self.directory.acting_as(services::IDENTITY),
            self.clock.clone(),
            self.ring.clone(),
        )
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.mounted.anonymous().post(path, &body).await
    }

    /// The same of a client at this address.
    pub(crate) async fn post_from(&self, address: &str, path: &str, body: Value) -> Reply {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .extension(ClientAddress(address.parse::<IpAddr>().unwrap()))
            .body(Body::from(body.to_string()))
            .unwrap();
        self.mounted.anonymous().send(request).await
    }

    /// Lets the worker hand over what is due now; all mails ever taken, oldest first.
    pub(crate) async fn mails(&self) -> Vec<Taken> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        self.identity.start(&tasks, stop.clone());
        let due = format!(
            "SELECT count(*) FROM identity.due_mails WHERE due_at <= to_timestamp({})",
            (self.clock.now() + chrono::TimeDelta::milliseconds(1)).timestamp_micros() as f64 / 1e6
        );
        eventually(Duration::from_secs(60), || async { self.count(&due).await == 0 }).await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        self.notification.taken()
    }

    /// The newest mail of a template.
    #[track_caller]
    pub(crate) fn newest(&self, template: &str) -> Taken {
        let taken = self.notification.taken();
        let newest = taken.iter().rev().find(|mail| mail.template == template);
        newest
            .unwrap_or_else(|| panic!("no {template} in {taken:?}"))
            .clone()
    }

    /// The link of a mail to a new password, asked for just now.
    pub(crate) async fn forgot(&self, email: &str) -> String {
        self.post("/api/v1/auth/forgot-password", json!({"email": email}))
            .await
            .assert_status(StatusCode::ACCEPTED);
        self.mails().await;
        self.newest("reset").token()
    }

    pub(crate) async fn reset(&self, token: &str, password: &str) -> Reply {
        let body = json!({"token": token, "password": password});
        self.post("/api/v1/auth/reset-password", body).await
    }

    pub(crate) async fn log_in_with(&self, email: &str, password: &str) -> Reply {
        let body = json!({"email": email, "password": password});
        self.post("/api/v1/auth/login", body).await
    }

    /// A tenant that tenancy knows.
    pub(crate) fn know_tenant(&self, slug: &str, status: &str) -> TenantId {
        self.tenants.know(slug, status)
    }

    /// A tenant that tenancy knows no more.
    pub(crate) fn forget_tenant(&self, slug: &str) {
        self.tenants.forget(slug);
    }

    /// A tenant whose owner has been provisioned by the event.
    pub(crate) async fn tenant(&self, slug: &str, owner: &str) -> TenantId {
        let tenant = self.know_tenant(slug, "active");
        self.announce(tenant, slug, owner).await;
        self.settle().await;
        tenant
    }

    pub(crate) async fn announce(&self, tenant: TenantId, slug: &str, owner: &str) {
        let created = TenantCreated {
            tenant_id: tenant,
            slug: slug.to_owned(),
            name: slug.to_owned(),
            admin_email: owner.to_owned(),
        };
        let tx = self.database.of(services::IDENTITY).begin(tenant);
        outbox::append(&tx, &self.clock, &created).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn settle(&self) {
        settle([(
            self.database.of(services::IDENTITY),
            self.identity.subscriptions(),
        )])
        .await;
    }

    /// A tenant whose owner has set a password.
    pub(crate) async fn tenant_with_owner(&self, slug: &str, owner: &str) -> TenantId {
        let tenant = self.tenant(slug, owner).await;
        let token = self.owner_link(tenant).await.unwrap();
        self.set_up(&token, owner, PASSWORD).await.assert_ok();
        tenant
    }

    pub(crate) async fn owner_link(&self, tenant: TenantId) -> Result<String, RpcError> {
        let request = CreateOwnerLinkRequest {
            tenant_id: tenant.to_string(),
        };
        let reply = self
            .rpc()
            .create_owner_link(request)
            .await
            .map_err(RpcError::from)?
            .into_inner();
        assert_eq!(
            reply.expires_at,
            (self.clock.now() + chrono::TimeDelta::hours(72)).timestamp()
        );
        Ok(reply.token)
    }

    pub(crate) fn rpc(&self) -> IdentityClient<Transport> {
        IdentityClient::new(self.directory.transport(services::IDENTITY))
    }

    pub(crate) fn members(&self) -> MembersClient<Transport> {
        MembersClient::new(self.directory.transport(services::IDENTITY))
    }

    pub(crate) fn accounts(&self) -> AccountsClient<Transport> {
        AccountsClient::new(self.directory.transport(services::IDENTITY))
    }

    pub(crate) fn sessions(&self) -> SessionsClient<Transport> {
        SessionsClient::new(self.directory.transport(services::IDENTITY))
    }

    /// A call that passes on this person.
    pub(crate) async fn for_person<T>(&self, person: &Caller, call: impl Future<Output = T>) -> T {
        let carried = Carried {
            caller: Some(person.clone()),
            ..Carried::default()
        };
        carry(carried, call).await
    }

    /// Whether the gateway would let this session in.
    pub(crate) async fn stands(&self, caller: &Caller) -> bool {
        let request = CheckSessionRequest {
            session_id: caller.session.to_string(),
            user_id: caller.subject.to_string(),
            tenant_id: caller
                .tenant()
                .map(|tenant| tenant.to_string())
                .unwrap_or_default(),
        };
        let reply = self.rpc().check_session(request).await.unwrap().into_inner();
        assert!(!reply.active || reply.role == caller.role.as_str());
        reply.active
    }

    pub(crate) async fn set_up(&self, token: &str, email: &str, password: &str) -> Reply {
        self.post(
            "/api/v1/auth/setup",
            json!({"token": token, "email": email, "password": password}),
        )
        .await
    }

    /// The platform's administrator, made with the setup link.
    pub(crate) async fn administrator(&self, email: &str) {
        let token = self.identity.setup_link().await.unwrap().unwrap();
        self.set_up(token.expose_secret(), email, PASSWORD)
            .await
            .assert_ok();
    }

    pub(crate) async fn log_in(&self, email: &str) -> Reply {
        self.post(
            "/api/v1/auth/login",
            json!({"email": email, "password": PASSWORD}),
        )
        .await
    }

    pub(crate) async fn log_in_at(&self, tenant: &str, email: &str) -> Reply {
        let body = json!({"email": email, "password": PASSWORD, "tenant": tenant});
        self.post("/api/v1/auth/login", body).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        self.post("/api/v1/auth/refresh", json!({"refresh_token": token}))
            .await
    }

    /// Names and payloads of everything ever said, from the outbox as it stands now.
    pub(crate) async fn said(&self) -> Vec<(String, Value)> {
        let admin = self.database.admin().await;
        let rows = admin
            .query("SELECT name, payload FROM identity.outbox ORDER BY id", &[])
            .await
            .unwrap();
        let read = |row: &tokio_postgres::Row| (row.get(0), serde_json::from_str(row.get(1)).unwrap());
        rows.iter().map(read).collect()
    }

    /// The tables that have this text in some row, as it is or as bytes.
    pub(crate) async fn tables_that_show(&self, text: &str) -> Vec<String> {
        let admin = self.database.admin().await;
        let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'identity'";
        let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut found = Vec::new();
        for row in admin.query(tables, &[]).await.unwrap() {
            let table: String = row.get(0);
            let rows = format!("SELECT t::text FROM identity.\"{table}\" t");
            let rows = admin.query(&rows, &[]).await.unwrap();
            let shows = |row: &tokio_postgres::Row| {
                let row: String = row.get(0);
                row.contains(text) || row.contains(&bytes)
            };
            if rows.iter().any(shows) {
                found.push(table);
            }
        }
        found
    }

    /// One number from the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database
            .admin()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }
}

/// The code of a refused call.
#[track_caller]
pub(crate) fn code<T>(answer: Result<T, Status>) -> &'static str {
    match answer {
        Ok(_) => panic!("the call was not refused"),
        Err(status) => RpcError::from(status).code(),
    }
}
