//! One access service and the events it reacts to.

use plaza_access::Access;
use plaza_contracts::access::Permissions;
use plaza_contracts::events::{TenantCreated, UserRegistered};
use plaza_contracts::proto::access::GrantsRequest;
use plaza_contracts::proto::access::access_client::AccessClient;
use plaza_contracts::proto::access::roles_client::RolesClient;
use plaza_contracts::services::{ACCESS, NOTIFICATION};
use plaza_database::Schema;
use plaza_kernel::{Caller, Clock, Event, Failure, PermissionSet, SystemRole, TenantId, UserId};
use plaza_messaging::outbox;
use plaza_rpc::{Carried, Directory, RpcError, RpcSettings, Transport, carry};
use plaza_testkit::{Mounted, Permit, TestDatabase, callers, settle};
use tonic::Status;

use crate::audits::{self, OTHERS};
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
        Self::on(TestDatabase::fresh(&[plaza_access::schema()]).await)
    }

    /// On a database in which the other services have their tables of the audit.
    pub(crate) async fn with_audits() -> Self {
        let others = OTHERS.map(|service| {
            Schema::new(service, &[])
                .with(plaza_messaging::migrations())
                .with(plaza_audit::migrations())
        });
        let mut schemas = vec![plaza_access::schema()];
        schemas.extend(others);
        let stage = Self::on(TestDatabase::fresh(&schemas).await);
        audits::host(&stage.database, &stage.clock, &stage.directory, &stage.neighbours);
        stage
    }

    fn on(database: TestDatabase) -> Self {
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

    /// A member whom the owner has given all that roles can grant.
    pub(crate) async fn administrator(&self, tenant: TenantId) -> UserId {
        let user = self.member(tenant, SystemRole::Member).await;
        let owner = self.mounted.as_caller(&callers::owner(tenant));
        let list = owner.get("/api/v1/admin/roles").await.assert_ok().value();
        let (role, gives) = (&list["items"][0], serde_json::json!({"user_id": user}));
        assert_eq!(role["template"], "administrator");
        let path = format!("/api/v1/admin/roles/{}/assignments", role["id"].as_str().unwrap());
        owner.post(&path, &gives).await.assert_ok();
        user
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
