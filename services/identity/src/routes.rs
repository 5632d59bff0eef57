//! The table of contents: every route with its access rule.

use std::sync::Arc;

use plaza_contracts::permissions::{CreateUsers, DeleteUsers, UpdateUsers, ViewUsers};
use plaza_contracts::services::IDENTITY;
use plaza_web::{Anyone, Api, Authenticated, Internal, May, PermissionSource, RouteLimits, ServiceApi};
use utoipa_axum::routes;

use crate::{Identity, recovery, sessions, setup, users};

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
        .route_within::<Anyone>(small, routes!(recovery::http::forgot_password))
        .route_within::<Anyone>(small, routes!(recovery::http::reset_password))
        .route::<Anyone>(routes!(recovery::http::reset_page))
        .route::<Anyone>(routes!(recovery::http::verify_email_page))
        .route_within::<Anyone>(small, routes!(recovery::http::verify_email))
        .route_within::<Anyone>(small, routes!(recovery::http::resend_verification))
        .route::<Authenticated>(routes!(sessions::http::logout))
        .route::<Authenticated>(routes!(sessions::own::logout_all))
        .route::<Authenticated>(routes!(sessions::own::me))
        .route_within::<Authenticated>(small, routes!(sessions::own::update_me))
        .route_within::<Authenticated>(small, routes!(sessions::own::change_password))
        .route::<Authenticated>(routes!(sessions::own::list_my_sessions))
        .route::<Authenticated>(routes!(sessions::own::end_my_session))
        .route::<May<ViewUsers>>(routes!(users::http::list))
        .route::<May<CreateUsers>>(routes!(users::http::create::create))
        .route::<May<ViewUsers>>(routes!(users::http::get))
        .route_within::<May<UpdateUsers>>(small, routes!(users::http::update))
        .route::<May<DeleteUsers>>(routes!(users::http::delete))
        .route::<May<UpdateUsers>>(routes!(sessions::own::end_user_sessions))
        .route_within::<Internal>(small, routes!(users::http::internal::add))
        .route::<Anyone>(routes!(sessions::http::jwks))
        .build(identity, permissions)
}
