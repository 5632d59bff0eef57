//! The gRPC API of tenancy.

use plaza_contracts::proto::tenancy::tenancy_server::{Tenancy as TenancyApi, TenancyServer};
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant as TenantMessage};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::answer;
use tonic::{Request, Response, Status, async_trait};

use crate::Tenancy;
use crate::tenants::{Tenant, store};

#[derive(Debug, thiserror::Error)]
enum LookUpError {
    #[error("this tenant does not exist")]
    NotFound,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for LookUpError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

pub(crate) fn routes(tenancy: Tenancy) -> tonic::service::Routes {
    tonic::service::Routes::new(TenancyServer::new(tenancy))
}

#[async_trait]
impl TenancyApi for Tenancy {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<TenantMessage>, Status> {
        let slug = request.into_inner().slug;
        let find = async {
            let tx = self.inner.database.begin_system();
            let found = store::resolve(&tx, &slug).await?;
            tx.commit().await?;
            found.map(message).ok_or(LookUpError::NotFound)
        };
        answer(find.await)
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<TenantMessage>, Status> {
        let id = request.into_inner().tenant_id.parse::<TenantId>();
        let find = async {
            let id = id.map_err(|_| LookUpError::NotFound)?;
            store::get(&self.inner.database, id)
                .await?
                .map(message)
                .ok_or(LookUpError::NotFound)
        };
        answer(find.await)
    }
}

fn message(tenant: Tenant) -> TenantMessage {
    TenantMessage {
        tenant_id: tenant.id.to_string(),
        slug: tenant.slug.as_str().to_owned(),
        name: tenant.name,
        status: tenant.status.as_str().to_owned(),
    }
}
