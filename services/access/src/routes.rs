//! The table of contents of access's HTTP API.

use plaza_contracts::permissions::{AssignRoles, CreateRoles, DeleteRoles, ViewRoles};
use plaza_contracts::services::ACCESS;
use plaza_web::{Api, Authenticated, May};
use utoipa_axum::routes;

use crate::Access;
use crate::{grants, roles};

/// Every route with its access rule.
pub(crate) fn api() -> Api<Access> {
    Api::new(ACCESS)
        .route::<May<ViewRoles>>(routes!(roles::http::list_roles))
        .route::<May<CreateRoles>>(routes!(roles::http::create_role))
        .route::<May<DeleteRoles>>(routes!(roles::http::delete_role))
        .route::<May<AssignRoles>>(routes!(roles::http::assign_role))
        .route::<May<AssignRoles>>(routes!(roles::http::unassign_role))
        .route::<May<ViewRoles>>(routes!(roles::http::list_available_roles))
        .route::<Authenticated>(routes!(grants::http::list_menus))
        .route::<Authenticated>(routes!(grants::http::list_permissions))
}
