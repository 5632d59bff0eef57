//! Handlers of `/api/v1/admin/menus` for who runs the platform. What a caller sees of them is in `grants/http.rs`.

use axum::extract::State;
use http::StatusCode;
use plaza_kernel::TenantId;
use plaza_web::{ApiError, ApiErrors, Granted, Json, Path, PlatformAdmin, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Access;

/// A product area for a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnableMenuBody {
    /// Which tenant.
    tenant_id: TenantId,
    /// A menu of the catalogue.
    #[schema(example = "campaigns")]
    menu: String,
}

/// A product area that is on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnabledMenuView {
    /// Its name.
    #[schema(example = "campaigns")]
    menu: String,
}

/// Of which tenant a product area is turned off.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfTenant {
    /// Which tenant.
    tenant_id: TenantId,
}

/// Turn a product area of a tenant on. 200 if it was on already.
#[utoipa::path(post, path = "/api/v1/admin/menus", tag = "access", operation_id = "enable_menu",
    request_body = EnableMenuBody,
    responses((status = 201, body = EnabledMenuView), (status = 200, body = EnabledMenuView), ApiErrors))]
pub(crate) async fn enable_menu(
    State(access): State<Access>,
    granted: Granted<PlatformAdmin>,
    Json(body): Json<EnableMenuBody>,
) -> Result<(StatusCode, Json<EnabledMenuView>), ApiError> {
    let new = access
        .enable_menu(&(&granted).into(), body.tenant_id, &body.menu)
        .await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(EnabledMenuView { menu: body.menu })))
}

/// Turn a product area of a tenant off. What roles grant there counts again when it is on again.
#[utoipa::path(delete, path = "/api/v1/admin/menus/{menu}", tag = "access", operation_id = "disable_menu",
    params(("menu" = String, Path, description = "A menu of the catalogue."), OfTenant),
    responses((status = 204), ApiErrors))]
pub(crate) async fn disable_menu(
    State(access): State<Access>,
    granted: Granted<PlatformAdmin>,
    Path(menu): Path<String>,
    Query(of): Query<OfTenant>,
) -> Result<StatusCode, ApiError> {
    access
        .disable_menu(&(&granted).into(), of.tenant_id, &menu)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
