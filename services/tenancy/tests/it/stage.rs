//! One tenancy service, with an identity that says what the test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plaza_contracts::proto::identity::identity_server::{Identity, IdentityServer};
use plaza_contracts::proto::identity::{
    CheckSessionReply, CheckSessionRequest, CreateOwnerLinkReply, CreateOwnerLinkRequest, GetMemberRequest,
    Member, SigningKeysReply, SigningKeysRequest,
};
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::proto::tenancy::tenants_client::TenantsClient;
use plaza_contracts::services::{ACCESS, IDENTITY, TENANCY};
use plaza_kernel::{Caller, Clock, Failure, Kind};
use plaza_rpc::{Carried, Directory, RpcSettings, Transport, answer, carry};
use plaza_tenancy::{Tenancy, TenancyConfig};
use plaza_testkit::{Mounted, Permit, TestDatabase};
use tonic::{Request, Response, Status, async_trait};

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) tenancy: Tenancy,
    pub(crate) mounted: Mounted,
    pub(crate) directory: Directory,
    /// Whether identity has made the owners' accounts.
    pub(crate) owners: Arc<AtomicBool>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::fresh(&[plaza_tenancy::schema()]).await;
        let directory = Directory::new(RpcSettings::default()).acting_as(ACCESS);
        let owners = Arc::new(AtomicBool::new(false));
        directory.host(
            IDENTITY,
            tonic::service::Routes::new(IdentityServer::new(StubIdentity(owners.clone()))),
        );
        let config = TenancyConfig {
            public_url: "https://plaza.example".to_owned(),
        };
        let acting = directory.acting_as(TENANCY);
        let tenancy = Tenancy::new(config, database.of(TENANCY), &acting, Clock::system());
        directory.host(TENANCY, tenancy.grpc());
        let mounted = Mounted::new(tenancy.http(Permit::none()));
        Self {
            database,
            tenancy,
            mounted,
            directory,
            owners,
        }
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
