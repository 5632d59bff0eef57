//! The table of contents of access's HTTP API.

use std::time::Duration;

use plaza_contracts::permissions::{
    AssignRoles, CreateRoles, DeleteRoles, UpdateRoles, ViewAudit, ViewRoles,
};
use plaza_contracts::services::ACCESS;
use plaza_web::{Api, Authenticated, Internal, May, MayOrPlatformAdmin, PlatformAdmin, RouteLimits};
use utoipa_axum::routes;

use crate::Access;
use crate::{grants, menus, roles, trail};

/// Every route with its access rule.
pub(crate) fn api() -> Api<Access> {
    Api::new(ACCESS)
        .route::<May<ViewRoles>>(routes!(roles::http::list_roles))
        .route::<May<CreateRoles>>(routes!(roles::http::create_role))
        .route::<May<ViewRoles>>(routes!(roles::http::get_role))
        .route::<May<UpdateRoles>>(routes!(roles::http::update_role))
        .route::<May<DeleteRoles>>(routes!(roles::http::delete_role))
        .route::<May<ViewRoles>>(routes!(roles::http::list_assignments))
        .route::<May<AssignRoles>>(routes!(roles::http::assign_role))
        .route::<May<AssignRoles>>(routes!(roles::http::unassign_role))
        .route::<May<ViewRoles>>(routes!(roles::http::list_available_roles))
        .route::<Internal>(routes!(roles::internal::assign_internal_role))
        .route::<Authenticated>(routes!(grants::http::list_menus))
        .route::<PlatformAdmin>(routes!(menus::http::enable_menu))
        .route::<PlatformAdmin>(routes!(menus::http::disable_menu))
        .route::<Authenticated>(routes!(grants::http::list_permissions))
        .route::<MayOrPlatformAdmin<ViewAudit>>(routes!(trail::http::list_audit))
        .route::<MayOrPlatformAdmin<ViewAudit>>(routes!(trail::http::export_audit))
        .route_within::<MayOrPlatformAdmin<ViewAudit>>(PATIENT, routes!(trail::http::verify_audit))
}

/// Many entries are looked at for one answer. The front door waits ten seconds for it.
const PATIENT: RouteLimits = RouteLimits {
    body: 1 << 20,
    deadline: Duration::from_secs(9),
};
