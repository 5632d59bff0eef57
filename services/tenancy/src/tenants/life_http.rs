//! Handlers of what happens to a tenant.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use plaza_kernel::TenantId;
use plaza_web::{ApiError, ApiErrors, Granted, Json, Path, PlatformAdmin, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use super::delete::DeletionForecast;
use super::http::{Tagged, TenantView, tagged};
use crate::Tenancy;

/// How a tenant is deleted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteParams {
    /// Changes nothing, and says what would become of the tenant.
    #[serde(default)]
    dry_run: bool,
}

/// Close a tenant and let its 30 days of grace begin. After them it is gone for good, and its slug is free.
#[utoipa::path(delete, path = "/api/v1/admin/tenants/{id}", tag = "tenants", operation_id = "delete_tenant",
    params(("id" = TenantId, Path), DeleteParams),
    responses((status = 202, body = TenantView), (status = 200, body = DeletionForecast), ApiErrors))]
pub(crate) async fn delete_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Path(id): Path<TenantId>,
    Query(params): Query<DeleteParams>,
) -> Result<Response, ApiError> {
    let right = (&granted).into();
    if params.dry_run {
        return Ok(Json(tenancy.forecast(&right, id).await?).into_response());
    }
    let tenant = tenancy.delete(&right, id).await?;
    Ok((StatusCode::ACCEPTED, tagged(tenant)).into_response())
}

/// Take a deletion back. The tenant is what it was before.
#[utoipa::path(post, path = "/api/v1/admin/tenants/{id}/restore", tag = "tenants",
    operation_id = "restore_tenant", params(("id" = TenantId, Path)),
    responses((status = 200, body = TenantView), ApiErrors))]
pub(crate) async fn restore_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<Tagged, ApiError> {
    Ok(tagged(tenancy.restore(&(&granted).into(), id).await?))
}

/// Keep everybody out of a tenant, and its messages back. Nothing of it is lost.
#[utoipa::path(post, path = "/api/v1/admin/tenants/{id}/suspend", tag = "tenants",
    operation_id = "suspend_tenant", params(("id" = TenantId, Path)),
    responses((status = 200, body = TenantView), ApiErrors))]
pub(crate) async fn suspend_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<Tagged, ApiError> {
    Ok(tagged(tenancy.suspend(&(&granted).into(), id).await?))
}

/// Let everybody into a suspended tenant again.
#[utoipa::path(post, path = "/api/v1/admin/tenants/{id}/resume", tag = "tenants",
    operation_id = "resume_tenant", params(("id" = TenantId, Path)),
    responses((status = 200, body = TenantView), ApiErrors))]
pub(crate) async fn resume_tenant(
    State(tenancy): State<Tenancy>,
    granted: Granted<PlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<Tagged, ApiError> {
    Ok(tagged(tenancy.resume(&(&granted).into(), id).await?))
}
