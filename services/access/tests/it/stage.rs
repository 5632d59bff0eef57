//! One access service and the events it reacts to.

use plaza_access::Access;
use plaza_contracts::access::Permissions;
use plaza_contracts::events::{TenantCreated, UserRegistered};
use plaza_contracts::proto::access::GrantsRequest;
use plaza_contracts::proto::access::access_client::AccessClient;
use plaza_contracts::proto::access::roles_client::RolesClient;
use plaza_contracts::services::{ACCESS, NOTIFICATION};
use plaza_kernel::{Caller, Clock, Event, Failure, PermissionSet, SystemRole, TenantId, UserId};
use plaza_messaging::outbox;
use plaza_rpc::{Carried, Directory, RpcError, RpcSettings, Transport, carry};
use plaza_testkit::{Mounted, Permit, TestDatabase, callers, settle};
use tonic::Status;

use crate::neighbours::Neighbours;

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) access: Access,
    pub(crate) mounted: Mounted,
    pub(crate) directory: Directory,
    /// The permissions that the service's own process checks with.
    pub(crate) cached: Permissions,
    pub(crate) neighbours: Neighbours,
    pub(crate) clock: Clock,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::fresh(&[plaza_access::schema()]).await;
        let clock = Clock::system();
        let directory = Directory::new(RpcSettings::default()).acting_as(NOTIFICATION);
        let neighbours = Neighbours::default();
        neighbours.host(&directory);
        let cached = Permissions::new(directory.transport(ACCESS), clock.clone());
        let acting = directory.acting_as(ACCESS);
        let access = Access::new(database.of(ACCESS), cached.clone(), &acting, clock.clone());
        directory.host(ACCESS, access.grpc());
        let mounted = Mounted::new(access.http(Permit::all()));
        Self {
            database,
            access,
            mounted,
            directory,
            cached,
            neighbours,
            clock,
        }
    }

    pub(crate) fn rpc(&self) -> AccessClient<Transport> {
        AccessClient::new(self.directory.transport(ACCESS))
    }

    pub(crate) fn roles(&self) -> RolesClient<Transport> {
        RolesClient::new(self.directory.transport(ACCESS))
    }

    /// A call that passes on this person.
    pub(crate) async fn for_person<T>(&self, person: &Caller, call: impl Future<Output = T>) -> T {
        let carried = Carried {
            caller: Some(person.clone()),
            ..Carried::default()
        };
        carry(carried, call).await
    }

    /// A tenant as its event leaves it.
    pub(crate) async fn tenant(&self) -> TenantId {
        let tenant = callers::tenant();
        self.hear(tenant, &created(tenant)).await;
        self.settle().await;
        tenant
    }

    /// A member as its event leaves it.
    pub(crate) async fn member(&self, tenant: TenantId, role: SystemRole) -> UserId {
        let user_id = UserId::generate(&self.clock);
        let email = "m@acme.example".to_owned();
        self.hear(tenant, &UserRegistered { user_id, email, role }).await;
        self.settle().await;
        user_id
    }

    /// An event of this tenant arrives (through the service's own outbox, which relays to itself).
    pub(crate) async fn hear<E: Event>(&self, tenant: TenantId, event: &E) {
        let tx = self.database.of(ACCESS).begin(tenant);
        outbox::append(&tx, &self.clock, event).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn settle(&self) {
        settle([(self.database.of(ACCESS), self.access.subscriptions())]).await;
        self.database.assert_nothing_unhandled().await;
    }

    /// Version and permissions, as every process asks for them.
    pub(crate) async fn grants(&self, tenant: TenantId, user: UserId) -> (i64, PermissionSet) {
        let request = GrantsRequest {
            tenant_id: tenant.to_string(),
            user_id: user.to_string(),
        };
        let mut client = AccessClient::new(self.directory.transport(ACCESS));
        let grants = client.grants(request).await.unwrap().into_inner();
        (grants.version, PermissionSet::from_words(&grants.words))
    }
}

pub(crate) fn created(tenant_id: TenantId) -> TenantCreated {
    let (slug, name, admin_email) = ("acme".to_owned(), "Acme".to_owned(), "o@acme.example".to_owned());
    TenantCreated {
        tenant_id,
        slug,
        name,
        admin_email,
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
