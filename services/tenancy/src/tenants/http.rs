//! Handlers of `/api/v1/admin/tenants`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_kernel::{Page, TenantId};
use plaza_web::{
    ApiError, ApiErrors, Granted, Json, OwnerOrPlatformAdmin, PageParams, Path, PlatformAdmin, Query,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create::NewTenant;
use super::{Status, Tenant};
use crate::Tenancy;

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTenantBody {
    /// Its name in hosts: a DNS label, lower case.
    #[schema(example = "acme")]
    slug: String,
    /// Its name for people.
    #[schema(example = "Acme Ltd")]
    name: String,
    /// Who will own it.
    #[schema(example = "owner@acme.example")]
    admin_email: String,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantView {
    /// Its id.
    id: TenantId,
    /// Its name in hosts.
    slug: String,
    /// Its name for people.
    name: String,
    /// Who was named to own it.
    admin_email: String,
    /// Where it is in its life.
    status: Status,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            slug: tenant.slug.as_str().to_owned(),
            name: tenant.name,
            admin_email: tenant.admin_email,
            status: tenant.status,
            created_at: tenant.created_at,
        }
    }
}

/// A single-use link for a tenant's owner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnerLinkView {
    /// To be opened by the owner.
    url: String,
    /// The token in it, for `POST /api/v1/auth/setup`.
    token: String,
    /// When it ends.
    expires_at: DateTime<Utc>,
}

/// Make a tenant.
#[utoipa::path(post, path = "/api/v1/admin/tenants", tag = "tenants", operation_id = "create_tenant",
    request_body = CreateTenantBody, responses((status = 201, body = TenantView), ApiErrors))]
pub(crate) async fn create_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Json(body): Json<CreateTenantBody>,
) -> Result<(StatusCode, Json<TenantView>), ApiError> {
    let new = NewTenant {
        slug: body.slug,
        name: body.name,
        admin_email: body.admin_email,
    };
    let tenant = tenancy.create(&(&granted).into(), new).await?;
    Ok((StatusCode::CREATED, Json(tenant.into())))
}

/// List all tenants, newest first.
#[utoipa::path(get, path = "/api/v1/admin/tenants", tag = "tenants", operation_id = "list_tenants",
    params(PageParams), responses((status = 200, body = Page<TenantView>), ApiErrors))]
pub(crate) async fn list_tenants(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<TenantView>>, ApiError> {
    let page = tenancy.list(&(&granted).into(), page.parse()?).await?;
    Ok(Json(page.map(TenantView::from)))
}

/// Get one tenant: any for who runs the platform, their own for owners.
#[utoipa::path(get, path = "/api/v1/admin/tenants/{id}", tag = "tenants", operation_id = "get_tenant",
    params(("id" = TenantId, Path)), responses((status = 200, body = TenantView), ApiErrors))]
pub(crate) async fn get_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<Json<TenantView>, ApiError> {
    let tenant = tenancy.get(Some(granted.caller()), id).await?;
    Ok(Json(tenant.into()))
}

/// Make a link with which the owner sets the first password. It works once, for 72 hours.
#[utoipa::path(post, path = "/api/v1/admin/tenants/{id}/owner-link", tag = "tenants",
    operation_id = "create_owner_link", params(("id" = TenantId, Path)),
    responses((status = 201, body = OwnerLinkView), ApiErrors))]
pub(crate) async fn create_owner_link(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<(StatusCode, Json<OwnerLinkView>), ApiError> {
    let link = tenancy.owner_link(&(&granted).into(), id).await?;
    let view = OwnerLinkView {
        url: link.url,
        token: link.token,
        expires_at: link.expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
