//! Handlers: what the caller may do, for a user interface that hides the rest.

use axum::extract::State;
use plaza_kernel::{Caller, PermissionSet};
use plaza_web::{ApiError, ApiErrors, Authenticated, Granted, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::{actions, held, names, store};
use crate::Access;

/// A product area and what the caller may do there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MenuView {
    /// Its name.
    #[schema(example = "campaigns")]
    menu: String,
    /// What may be done.
    #[schema(example = json!(["view", "create"]))]
    actions: Vec<String>,
}

/// The menus of the caller's tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MenusView {
    /// In the order in which they are shown.
    items: Vec<MenuView>,
}

/// The caller's permissions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PermissionsView {
    /// The version of the tenant's grants that they are of.
    version: i64,
    /// `menu.action`.
    permissions: Vec<String>,
}

/// List the product areas that the caller sees, and what the caller may do in each.
#[utoipa::path(get, path = "/api/v1/admin/menus", tag = "access", operation_id = "list_menus",
    responses((status = 200, body = MenusView), ApiErrors))]
pub(crate) async fn list_menus(
    State(access): State<Access>,
    granted: Granted<Authenticated>,
) -> Result<Json<MenusView>, ApiError> {
    let Some(tenant) = granted.caller().tenant() else {
        return Ok(Json(MenusView { items: Vec::new() }));
    };
    let (_, permissions) = permissions_of(&access, granted.caller()).await?;
    let menus = store::menus(&access.inner.database, tenant).await?;
    let visible = menus.into_iter().map(|menu| MenuView {
        actions: actions(&menu, &permissions),
        menu,
    });
    Ok(Json(MenusView {
        items: visible.filter(|view| !view.actions.is_empty()).collect(),
    }))
}

/// List what the caller may do.
#[utoipa::path(get, path = "/api/v1/auth/permissions", tag = "access", operation_id = "list_permissions",
    responses((status = 200, body = PermissionsView), ApiErrors))]
pub(crate) async fn list_permissions(
    State(access): State<Access>,
    granted: Granted<Authenticated>,
) -> Result<Json<PermissionsView>, ApiError> {
    let (version, set) = permissions_of(&access, granted.caller()).await?;
    let permissions = names(&set);
    Ok(Json(PermissionsView { version, permissions }))
}

/// Who runs the platform holds nothing inside tenants.
async fn permissions_of(access: &Access, caller: &Caller) -> Result<(i64, PermissionSet), ApiError> {
    let Some(tenant) = caller.tenant() else {
        return Ok((0, PermissionSet::none()));
    };
    let grants = store::of_member(&access.inner.database, tenant, caller.subject).await?;
    Ok((grants.version, held(caller, grants.permissions)))
}
