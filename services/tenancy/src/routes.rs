//! The table of contents of tenancy's HTTP API.

use plaza_contracts::services::TENANCY;
use plaza_web::{Api, OwnerOrPlatformAdmin, PlatformAdmin};
use utoipa_axum::routes;

use crate::Tenancy;
use crate::tenants::http;

/// Every route with its access rule.
pub(crate) fn api() -> Api<Tenancy> {
    Api::new(TENANCY)
        .route::<PlatformAdmin>(routes!(http::list_tenants))
        .route::<PlatformAdmin>(routes!(http::create_tenant))
        .route::<OwnerOrPlatformAdmin>(routes!(http::get_tenant))
        .route::<PlatformAdmin>(routes!(http::create_owner_link))
}
