//! Handlers of `/api/v1/admin/roles`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, StatusCode};
use plaza_contracts::permissions::{AssignRoles, CreateRoles, DeleteRoles, UpdateRoles, ViewRoles};
use plaza_kernel::{Page, UserId};
use plaza_web::{
    ApiError, ApiErrors, Granted, IfMatch, IfMatchParams, Json, May, PageParams, Path, PreconditionErrors,
    Query, etag,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create::RoleError;
use super::store::Assignment;
use super::update::Change;
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

/// What a role becomes. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateRoleBody {
    /// 1 to 60 printable characters.
    #[schema(example = "Sales")]
    name: Option<String>,
    /// `menu.action`: all that it grants afterwards. Nobody grants or takes away what they do not hold.
    #[schema(example = json!(["campaigns.view"]))]
    permissions: Option<Vec<String>>,
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
    /// Rises with every change; the number in its `ETag`.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was changed last; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
}

/// Somebody who has a role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssignmentView {
    /// The member.
    user_id: UserId,
    /// Since when.
    created_at: DateTime<Utc>,
}

impl From<Assignment> for AssignmentView {
    fn from(assignment: Assignment) -> Self {
        Self {
            user_id: assignment.user,
            created_at: assignment.created_at,
        }
    }
}

/// A role with its version in the `ETag`.
type Tagged = ([(HeaderName, HeaderValue); 1], Json<RoleView>);

fn tagged(role: Role) -> Tagged {
    ([etag(role.version)], Json(role.into()))
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self {
            id: role.id,
            name: role.name.as_str().to_owned(),
            template: role.template.map(|template| template.as_str().to_owned()),
            permissions: names(&role.permissions),
            version: role.version.get(),
            created_at: role.created_at,
            updated_at: role.updated_at,
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
    let (page, skip) = (page.parse()?, page.skip()?);
    let page = store::list(&access.inner.database, granted.tenant(), None, page, skip).await?;
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

/// Get one role.
#[utoipa::path(get, path = "/api/v1/admin/roles/{id}", tag = "access", operation_id = "get_role",
    params(("id" = RoleId, Path)), responses((status = 200, body = RoleView), ApiErrors))]
pub(crate) async fn get_role(
    State(access): State<Access>,
    granted: Granted<May<ViewRoles>>,
    Path(id): Path<RoleId>,
) -> Result<Tagged, ApiError> {
    let role = store::get(&access.inner.database, granted.tenant(), id).await?;
    Ok(tagged(role.ok_or(RoleError::NotFound)?))
}

/// Change a role of the tenant's own. Who has it has the new permissions at once.
#[utoipa::path(put, path = "/api/v1/admin/roles/{id}", tag = "access", operation_id = "update_role",
    params(("id" = RoleId, Path), IfMatchParams), request_body = UpdateRoleBody,
    responses((status = 200, body = RoleView), ApiErrors, PreconditionErrors))]
pub(crate) async fn update_role(
    State(access): State<Access>,
    granted: Granted<May<UpdateRoles>>,
    Path(id): Path<RoleId>,
    wanted: IfMatch,
    Json(body): Json<UpdateRoleBody>,
) -> Result<Tagged, ApiError> {
    let change = Change {
        name: body.name.as_deref(),
        permissions: body.permissions.as_deref(),
    };
    let role = access.update_role(&(&granted).into(), id, change, wanted).await?;
    Ok(tagged(role))
}

/// Make a role.
#[utoipa::path(post, path = "/api/v1/admin/roles", tag = "access", operation_id = "create_role",
    request_body = CreateRoleBody, responses((status = 201, body = RoleView), ApiErrors))]
pub(crate) async fn create_role(
    State(access): State<Access>,
    granted: Granted<May<CreateRoles>>,
    Json(body): Json<CreateRoleBody>,
) -> Result<(StatusCode, Tagged), ApiError> {
    let role = access
        .create_role(&(&granted).into(), &body.name, &body.permissions)
        .await?;
    Ok((StatusCode::CREATED, tagged(role)))
}

/// Remove a role of the tenant's own, and take it from everybody who has it. Nobody removes one that grants more than they hold.
#[utoipa::path(delete, path = "/api/v1/admin/roles/{id}", tag = "access", operation_id = "delete_role",
    params(("id" = RoleId, Path), IfMatchParams), responses((status = 204), ApiErrors, PreconditionErrors))]
pub(crate) async fn delete_role(
    State(access): State<Access>,
    granted: Granted<May<DeleteRoles>>,
    Path(id): Path<RoleId>,
    wanted: IfMatch,
) -> Result<StatusCode, ApiError> {
    access.delete_role(&(&granted).into(), id, wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List who has a role, by user.
#[utoipa::path(get, path = "/api/v1/admin/roles/{id}/assignments", tag = "access",
    operation_id = "list_assignments", params(("id" = RoleId, Path), PageParams),
    responses((status = 200, body = Page<AssignmentView>), ApiErrors))]
pub(crate) async fn list_assignments(
    State(access): State<Access>,
    granted: Granted<May<ViewRoles>>,
    Path(id): Path<RoleId>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<AssignmentView>>, ApiError> {
    let (page, skip) = (page.parse()?, page.skip()?);
    let page = access.assignments(&(&granted).into(), id, page, skip).await?;
    Ok(Json(page.map(AssignmentView::from)))
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
