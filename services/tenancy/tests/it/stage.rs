//! One tenancy service, with neighbours that say what the test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::DateTime;
use http::StatusCode;
use plaza_contracts::events::OwnerProvisioned;
use plaza_contracts::proto::identity::identity_server::{Identity, IdentityServer};
use plaza_contracts::proto::identity::{
    CheckSessionReply, CheckSessionRequest, CreateOwnerLinkReply, CreateOwnerLinkRequest, GetMemberRequest,
    Member, SigningKeysReply, SigningKeysRequest,
};
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::proto::tenancy::tenants_client::TenantsClient;
use plaza_contracts::services::{ACCESS, BROADCAST, IDENTITY, TENANCY};
use plaza_crypto::KeyRing;
use plaza_kernel::{Caller, Clock, Failure, Kind, ManualClock, TenantId, UserId};
use plaza_messaging::outbox;
use plaza_rpc::{Carried, Directory, RpcSettings, Transport, answer, carry};
use plaza_tenancy::{Tenancy, TenancyConfig};
use plaza_testkit::{Client, Mounted, Permit, Reply, TestDatabase, callers, settle};
use serde_json::{Value, json};
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use crate::neighbours::{Campaigns, Members};

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) tenancy: Tenancy,
    pub(crate) mounted: Mounted,
    pub(crate) directory: Directory,
    /// Whether identity has made the owners' accounts.
    pub(crate) owners: Arc<AtomicBool>,
    pub(crate) clock: Clock,
    /// The hand on it.
    pub(crate) time: ManualClock,
    /// What tenants' secrets are sealed with.
    pub(crate) keys: KeyRing,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::fresh(&[plaza_tenancy::schema()]).await;
        let directory = Directory::new(RpcSettings::default()).acting_as(ACCESS);
        let owners = Arc::new(AtomicBool::new(false));
        let identity = IdentityServer::new(StubIdentity(owners.clone()));
        directory.host(IDENTITY, Routes::new(identity).add_service(Members));
        directory.host(BROADCAST, Routes::new(Campaigns));
        // The database keeps microseconds.
        let now = Clock::system().now().timestamp_micros();
        let (clock, time) = Clock::manual(DateTime::from_timestamp_micros(now).unwrap());
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let config = TenancyConfig {
            public_url: "https://plaza.example".to_owned(),
        };
        let acting = directory.acting_as(TENANCY);
        let tenancy = Tenancy::new(config, database.of(TENANCY), &acting, clock.clone(), keys.clone());
        directory.host(TENANCY, tenancy.grpc());
        let mounted = Mounted::new(tenancy.http(Permit::none()));
        Self {
            database,
            tenancy,
            mounted,
            directory,
            owners,
            clock,
            time,
            keys,
        }
    }

    /// A tenant with this slug, made by who runs the platform.
    pub(crate) async fn tenant(&self, slug: &str) -> TenantId {
        let body = json!({"slug": slug, "name": slug, "admin_email": format!("owner@{slug}.example")});
        let admin = self.mounted.as_caller(&callers::platform_admin());
        let made = admin.post("/api/v1/admin/tenants", &body).await;
        let made = made.assert_status(StatusCode::CREATED).value();
        serde_json::from_value(made["id"].clone()).unwrap()
    }

    /// The owner's account of this tenant is there.
    pub(crate) async fn activate(&self, tenant: TenantId) {
        let database = self.database.of(TENANCY);
        let tx = database.begin(tenant);
        let event = OwnerProvisioned {
            tenant_id: tenant,
            user_id: UserId::generate(&self.clock),
        };
        outbox::append(&tx, &self.clock, &event).await.unwrap();
        tx.commit().await.unwrap();
        settle([(database, self.tenancy.subscriptions())]).await;
    }

    /// The events of this name, oldest first, as they lie in the outbox.
    pub(crate) async fn events(&self, name: &str) -> Vec<Value> {
        let admin = self.database.admin().await;
        let rows = admin
            .query(
                "SELECT payload::text FROM tenancy.outbox WHERE name = $1 ORDER BY id",
                &[&name],
            )
            .await
            .unwrap();
        rows.iter()
            .map(|row| serde_json::from_str(row.get(0)).unwrap())
            .collect()
    }

    /// How many rows a statement counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database
            .admin()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    pub(crate) fn rpc(&self) -> TenancyClient<Transport> {
        TenancyClient::new(self.directory.transport(TENANCY))
    }

    pub(crate) fn tenants(&self) -> TenantsClient<Transport> {
        TenantsClient::new(self.directory.transport(TENANCY))
    }

    /// A call that passes on this person.
    pub(crate) async fn for_person<T>(&self, person: &Caller, call: impl Future<Output = T>) -> T {
        let carried = Carried {
            caller: Some(person.clone()),
            ..Carried::default()
        };
        carry(carried, call).await
    }
}

/// `PUT path`, for a version that was seen.
pub(crate) async fn put_if(client: &Client, path: &str, seen: &str, body: &Value) -> Reply {
    let request = http::Request::put(path)
        .header("content-type", "application/json")
        .header("if-match", seen)
        .body(axum::body::Body::from(body.to_string()));
    client.send(request.unwrap()).await
}

/// Where the values stand that were not acceptable.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect()
}

/// What a stranger is told must not depend on what there is: equal but for the request's own id.
#[track_caller]
pub(crate) fn assert_alike(one: &Reply, other: &Reply) {
    let without_id = |reply: &Reply| {
        let mut problem = reply.value();
        problem.as_object_mut().unwrap().remove("request_id");
        problem
    };
    assert_eq!(one.status, other.status);
    assert_eq!(without_id(one), without_id(other));
}

/// Knows every tenant's owner once the test says so.
struct StubIdentity(Arc<AtomicBool>);

#[derive(Debug, thiserror::Error)]
#[error("the owner's account is being made")]
struct Pending;

impl Failure for Pending {
    fn kind(&self) -> Kind {
        Kind::Conflict
    }

    fn code(&self) -> &'static str {
        "OWNER_PENDING"
    }
}

#[async_trait]
impl Identity for StubIdentity {
    async fn signing_keys(
        &self,
        _: Request<SigningKeysRequest>,
    ) -> Result<Response<SigningKeysReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn check_session(
        &self,
        _: Request<CheckSessionRequest>,
    ) -> Result<Response<CheckSessionReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn create_owner_link(
        &self,
        request: Request<CreateOwnerLinkRequest>,
    ) -> Result<Response<CreateOwnerLinkReply>, Status> {
        let token = format!("token-of-{}", request.into_inner().tenant_id);
        let link = CreateOwnerLinkReply {
            token,
            expires_at: 1_800_000_000,
        };
        answer(if self.0.load(Ordering::Relaxed) {
            Ok(link)
        } else {
            Err(Pending)
        })
    }

    async fn get_member(&self, _: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}
