//! Handlers of `/api/v1/admin/tenants`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, StatusCode};
use plaza_kernel::{Answer, Page, TenantId};
use plaza_web::{
    ApiError, ApiErrors, Granted, IfMatch, IfMatchParams, Json, OnceJson, OnceParams, OwnerOrPlatformAdmin,
    PageParams, Path, PlatformAdmin, PreconditionErrors, Query, answered, etag,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::charge::InCharge;
use super::create::NewTenant;
use super::update::Change;
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

/// What a tenant becomes. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateTenantBody {
    /// Its name for people.
    #[schema(example = "Acme Ltd")]
    name: Option<String>,
    /// Who owns it. For who runs the platform.
    #[schema(example = "owner@acme.example")]
    admin_email: Option<String>,
    /// Its name in hosts. For who runs the platform; the old one is free at once.
    #[schema(example = "acme")]
    slug: Option<String>,
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
    /// When its days of grace end; absent unless it is to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_after: Option<DateTime<Utc>>,
    /// Rises with every change; the number in its `ETag`.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            status: tenant.status(),
            slug: tenant.slug.as_str().to_owned(),
            name: tenant.name,
            admin_email: tenant.admin_email,
            delete_after: tenant.life.delete_after,
            version: tenant.version.get(),
            created_at: tenant.created_at,
        }
    }
}

/// A tenant with its version in the `ETag`.
pub(super) type Tagged = ([(HeaderName, HeaderValue); 1], Json<TenantView>);

pub(super) fn tagged(tenant: Tenant) -> Tagged {
    ([etag(tenant.version)], Json(tenant.into()))
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
    params(OnceParams), request_body = CreateTenantBody,
    responses((status = 201, body = TenantView), ApiErrors))]
pub(crate) async fn create_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    OnceJson(body, key): OnceJson<CreateTenantBody>,
) -> Result<Response, ApiError> {
    let new = NewTenant {
        slug: body.slug,
        name: body.name,
        admin_email: body.admin_email,
    };
    let asked = (granted.caller().subject, &key);
    let answer = tenancy.create_once(&(&granted).into(), new, asked).await?;
    let answer = match answer {
        Answer::New(tenant) => Answer::New(TenantView::from(tenant)),
        Answer::Replayed { status, body } => Answer::Replayed { status, body },
    };
    Ok(answered(StatusCode::CREATED, answer))
}

/// List all tenants, newest first.
#[utoipa::path(get, path = "/api/v1/admin/tenants", tag = "tenants", operation_id = "list_tenants",
    params(PageParams), responses((status = 200, body = Page<TenantView>), ApiErrors))]
pub(crate) async fn list_tenants(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<TenantView>>, ApiError> {
    let (page, skip) = (page.parse()?, page.skip()?);
    let page = tenancy.list(&(&granted).into(), page, skip).await?;
    Ok(Json(page.map(TenantView::from)))
}

/// Get one tenant: any for who runs the platform, their own for owners.
#[utoipa::path(get, path = "/api/v1/admin/tenants/{id}", tag = "tenants", operation_id = "get_tenant",
    params(("id" = TenantId, Path)), responses((status = 200, body = TenantView), ApiErrors))]
pub(crate) async fn get_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<Tagged, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    Ok(tagged(tenancy.get(charge).await?))
}

/// Change a tenant: any for who runs the platform, the name of their own for owners.
#[utoipa::path(put, path = "/api/v1/admin/tenants/{id}", tag = "tenants", operation_id = "update_tenant",
    params(("id" = TenantId, Path), IfMatchParams), request_body = UpdateTenantBody,
    responses((status = 200, body = TenantView), ApiErrors, PreconditionErrors))]
pub(crate) async fn update_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path(id): Path<TenantId>,
    wanted: IfMatch,
    Json(body): Json<UpdateTenantBody>,
) -> Result<Tagged, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let change = Change {
        name: body.name,
        admin_email: body.admin_email,
        slug: body.slug,
    };
    Ok(tagged(tenancy.update(charge, change, wanted).await?))
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
