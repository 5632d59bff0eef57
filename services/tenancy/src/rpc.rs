//! The gRPC API of tenancy: which tenant is meant, and the tenants themselves.

mod audit;

use plaza_contracts::incoming::{Asker, Refusal, id, page, reply, time};
use plaza_contracts::proto::tenancy::audit_server::AuditServer;
use plaza_contracts::proto::tenancy::tenancy_server::{self, TenancyServer};
use plaza_contracts::proto::tenancy::tenants_server::{self, TenantsServer};
use plaza_contracts::proto::tenancy::{
    CreateOwnerLinkReply, CreateOwnerLinkRequest, CreateTenantRequest, GetRequest, GetTenantRequest,
    ListTenantsReply, ListTenantsRequest, ResolveRequest, Tenant as TenantMessage, TenantDetails,
};
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use crate::Tenancy;
use crate::tenants::Tenant;
use crate::tenants::charge::InCharge;
use crate::tenants::create::NewTenant;

pub(crate) fn routes(tenancy: Tenancy) -> Routes {
    Routes::new(TenancyServer::new(tenancy.clone()))
        .add_service(TenantsServer::new(tenancy.clone()))
        .add_service(AuditServer::new(tenancy))
}

#[async_trait]
impl tenancy_server::Tenancy for Tenancy {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<TenantMessage>, Status> {
        let found = self.resolve(&request.get_ref().slug).await;
        reply(found.map(message).map_err(Refusal::from))
    }

    /// Asked for whoever is about to be let in, so a person in another tenant may ask for it too.
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<TenantMessage>, Status> {
        let find = async {
            let id = id("tenant_id", &request.get_ref().tenant_id)?;
            Ok(message(self.find(id).await?))
        };
        reply(find.await)
    }
}

#[async_trait]
impl tenants_server::Tenants for Tenancy {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<TenantDetails>, Status> {
        let create = async {
            let right = Asker::of(&request)?.runs_platform()?;
            let CreateTenantRequest {
                slug,
                name,
                admin_email,
            } = request.into_inner();
            let new = NewTenant {
                slug,
                name,
                admin_email,
            };
            Ok(details(self.create(&right, new).await?))
        };
        reply(create.await)
    }

    async fn get_tenant(
        &self,
        request: Request<GetTenantRequest>,
    ) -> Result<Response<TenantDetails>, Status> {
        let get = async {
            let asker = Asker::of(&request)?;
            let id = id("tenant_id", &request.get_ref().tenant_id)?;
            Ok(details(self.get(InCharge::asked(&asker, id)?).await?))
        };
        reply(get.await)
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsReply>, Status> {
        let list = async {
            let right = Asker::of(&request)?.runs_platform()?;
            let page = page(request.get_ref().limit, &request.get_ref().cursor)?;
            let page = self.list(&right, page, 0).await?;
            Ok(ListTenantsReply {
                tenants: page.items.into_iter().map(details).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn create_owner_link(
        &self,
        request: Request<CreateOwnerLinkRequest>,
    ) -> Result<Response<CreateOwnerLinkReply>, Status> {
        let link = async {
            let right = Asker::of(&request)?.runs_platform()?;
            let id = id("tenant_id", &request.get_ref().tenant_id)?;
            let link = self.owner_link(&right, id).await?;
            Ok(CreateOwnerLinkReply {
                url: link.url,
                token: link.token,
                expires_at: time(link.expires_at),
            })
        };
        reply(link.await)
    }
}

fn message(tenant: Tenant) -> TenantMessage {
    TenantMessage {
        tenant_id: tenant.id.to_string(),
        slug: tenant.slug.as_str().to_owned(),
        status: tenant.status().as_str().to_owned(),
        name: tenant.name,
    }
}

fn details(tenant: Tenant) -> TenantDetails {
    TenantDetails {
        tenant_id: tenant.id.to_string(),
        slug: tenant.slug.as_str().to_owned(),
        status: tenant.status().as_str().to_owned(),
        name: tenant.name,
        admin_email: tenant.admin_email,
        created_at: time(tenant.created_at),
    }
}
