//! The table of contents: every route with its access rule.

use std::sync::Arc;

use plaza_contracts::permissions::{CreateUsers, ViewUsers};
use plaza_contracts::services::IDENTITY;
use plaza_web::{Anyone, Api, Authenticated, May, PermissionSource, RouteLimits, ServiceApi};
use utoipa_axum::routes;

use crate::{Identity, sessions, setup, users};

pub(crate) fn api(identity: Identity, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
    // Strangers can make us hold bodies here; none of these needs a long one.
    let small = RouteLimits {
        body: 16 << 10,
        ..RouteLimits::default()
    };
    Api::new(IDENTITY)
        .route_within::<Anyone>(small, routes!(setup::http::setup))
        .route::<Anyone>(routes!(setup::http::setup_page))
        .route_within::<Anyone>(small, routes!(users::http::register))
        .route_within::<Anyone>(small, routes!(sessions::http::login))
        .route_within::<Anyone>(small, routes!(sessions::http::refresh))
        .route::<Authenticated>(routes!(sessions::http::logout))
        .route::<Authenticated>(routes!(sessions::http::me))
        .route::<May<ViewUsers>>(routes!(users::http::list))
        .route::<May<CreateUsers>>(routes!(users::http::create))
        .route::<May<ViewUsers>>(routes!(users::http::get))
        .route::<Anyone>(routes!(sessions::http::jwks))
        .build(identity, permissions)
}
