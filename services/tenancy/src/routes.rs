//! The table of contents of tenancy's HTTP API.

use plaza_contracts::services::TENANCY;
use plaza_web::{Api, OwnerOrPlatformAdmin, PlatformAdmin};
use utoipa_axum::routes;

use crate::Tenancy;
use crate::tenants::{http, life_http};
use crate::{configuration, secrets};

/// Every route with its access rule.
pub(crate) fn api() -> Api<Tenancy> {
    Api::new(TENANCY)
        .route::<PlatformAdmin>(routes!(http::list_tenants))
        .route::<PlatformAdmin>(routes!(http::create_tenant))
        .route::<OwnerOrPlatformAdmin>(routes!(http::get_tenant))
        .route::<OwnerOrPlatformAdmin>(routes!(http::update_tenant))
        .route::<PlatformAdmin>(routes!(life_http::delete_tenant))
        .route::<PlatformAdmin>(routes!(life_http::restore_tenant))
        .route::<PlatformAdmin>(routes!(life_http::suspend_tenant))
        .route::<PlatformAdmin>(routes!(life_http::resume_tenant))
        .route::<PlatformAdmin>(routes!(http::create_owner_link))
        .route::<OwnerOrPlatformAdmin>(routes!(configuration::http::get_tenant_config))
        .route::<OwnerOrPlatformAdmin>(routes!(configuration::http::put_tenant_config))
        .route::<OwnerOrPlatformAdmin>(routes!(configuration::http::get_tenant_config_namespace))
        .route::<OwnerOrPlatformAdmin>(routes!(configuration::http::put_tenant_config_namespace))
        .route::<OwnerOrPlatformAdmin>(routes!(secrets::http::list_secrets))
        .route::<OwnerOrPlatformAdmin>(routes!(secrets::http::put_secret))
        .route::<OwnerOrPlatformAdmin>(routes!(secrets::http::delete_secret))
        .route::<OwnerOrPlatformAdmin>(routes!(secrets::http::rotate_secret))
}
