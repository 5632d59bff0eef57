//! The table of contents: every route with its access rule.

use std::sync::Arc;

use plaza_contracts::permissions::{CreateUsers, ViewUsers};
use plaza_contracts::services::IDENTITY;
use plaza_web::{Anyone, Api, Authenticated, May, PermissionSource, ServiceApi};
use utoipa_axum::routes;

use crate::{Identity, sessions, setup, users};

pub(crate) fn api(identity: Identity, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
    Api::new(IDENTITY)
        .route::<Anyone>(routes!(setup::http::setup))
        .route::<Anyone>(routes!(setup::http::setup_page))
        .route::<Anyone>(routes!(users::http::register))
        .route::<Anyone>(routes!(sessions::http::login))
        .route::<Anyone>(routes!(sessions::http::refresh))
        .route::<Authenticated>(routes!(sessions::http::logout))
        .route::<Authenticated>(routes!(sessions::http::me))
        .route::<May<ViewUsers>>(routes!(users::http::list))
        .route::<May<CreateUsers>>(routes!(users::http::create))
        .route::<May<ViewUsers>>(routes!(users::http::get))
        .route::<Anyone>(routes!(sessions::http::jwks))
        .build(identity, permissions)
}
