//! Handlers of `/api/v1/admin/roles`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::permissions::{AssignRoles, CreateRoles, DeleteRoles, ViewRoles};
use plaza_kernel::{Page, UserId};
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Role, RoleId, store};
use crate::Access;
use crate::grants::names;

/// A role to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRoleBody {
    /// 1 to 60 printable characters.
    #[schema(example = "Sales")]
    name: String,
    /// `menu.action`; at most what its maker holds.
    #[schema(example = json!(["campaigns.view"]))]
    permissions: Vec<String>,
}

/// Who gets a role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignRoleBody {
    /// The member.
    user_id: UserId,
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleView {
    /// Its id.
    id: RoleId,
    /// Its name.
    name: String,
    /// The default role it was made from; absent for a tenant's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// `menu.action`.
    permissions: Vec<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self {
            id: role.id,
            name: role.name.as_str().to_owned(),
            template: role.template.map(|template| template.as_str().to_owned()),
            permissions: names(&role.permissions),
            created_at: role.created_at,
        }
    }
}

/// List the tenant's roles, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/roles", tag = "access", operation_id = "list_roles",
    params(PageParams), responses((status = 200, body = Page<RoleView>), ApiErrors))]
pub(crate) async fn list_roles(
    State(access): State<Access>,
    granted: Granted<May<ViewRoles>>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<RoleView>>, ApiError> {
    let page = store::list(&access.inner.database, granted.tenant(), None, page.parse()?).await?;
    Ok(Json(page.map(RoleView::from)))
}

/// List the tenant's roles, under the path that clients of the auth API know.
#[utoipa::path(get, path = "/api/v1/auth/roles", tag = "access", operation_id = "list_available_roles",
    params(PageParams), responses((status = 200, body = Page<RoleView>), ApiErrors))]
pub(crate) async fn list_available_roles(
    access: State<Access>,
    granted: Granted<May<ViewRoles>>,
    page: Query<PageParams>,
) -> Result<Json<Page<RoleView>>, ApiError> {
    list_roles(access, granted, page).await
}

/// Make a role.
#[utoipa::path(post, path = "/api/v1/admin/roles", tag = "access", operation_id = "create_role",
    request_body = CreateRoleBody, responses((status = 201, body = RoleView), ApiErrors))]
pub(crate) async fn create_role(
    State(access): State<Access>,
    granted: Granted<May<CreateRoles>>,
    Json(body): Json<CreateRoleBody>,
) -> Result<(StatusCode, Json<RoleView>), ApiError> {
    let role = access
        .create_role(&(&granted).into(), &body.name, &body.permissions)
        .await?;
    Ok((StatusCode::CREATED, Json(role.into())))
}

/// Remove a role of the tenant's own, and take it from everybody who has it.
#[utoipa::path(delete, path = "/api/v1/admin/roles/{id}", tag = "access", operation_id = "delete_role",
    params(("id" = RoleId, Path)), responses((status = 204), ApiErrors))]
pub(crate) async fn delete_role(
    State(access): State<Access>,
    granted: Granted<May<DeleteRoles>>,
    Path(id): Path<RoleId>,
) -> Result<StatusCode, ApiError> {
    access.delete_role(&(&granted).into(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a role to a member.
#[utoipa::path(post, path = "/api/v1/admin/roles/{id}/assignments", tag = "access", operation_id = "assign_role",
    params(("id" = RoleId, Path)), request_body = AssignRoleBody, responses((status = 204), ApiErrors))]
pub(crate) async fn assign_role(
    State(access): State<Access>,
    granted: Granted<May<AssignRoles>>,
    Path(id): Path<RoleId>,
    Json(body): Json<AssignRoleBody>,
) -> Result<StatusCode, ApiError> {
    access.assign(&(&granted).into(), id, body.user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a role from a member.
#[utoipa::path(delete, path = "/api/v1/admin/roles/{id}/assignments/{user_id}", tag = "access",
    operation_id = "unassign_role", params(("id" = RoleId, Path), ("user_id" = UserId, Path)),
    responses((status = 204), ApiErrors))]
pub(crate) async fn unassign_role(
    State(access): State<Access>,
    granted: Granted<May<AssignRoles>>,
    Path((id, user)): Path<(RoleId, UserId)>,
) -> Result<StatusCode, ApiError> {
    access.unassign(&(&granted).into(), id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
