//! The table of contents of notification's HTTP API.

use std::time::Duration;

use plaza_contracts::permissions::{
    ManageSenders, ManageSuppressions, ViewLogs, ViewSenders, ViewSuppressions,
};
use plaza_contracts::services::NOTIFICATION;
use plaza_web::{Api, May, RouteLimits};
use utoipa_axum::routes;

use crate::Notification;
use crate::receipts::http::{self as webhooks, MetaSignature};
use crate::{messages, senders, suppressions};

/// Every route with its access rule.
pub(crate) fn api() -> Api<Notification> {
    let callback = RouteLimits {
        body: webhooks::BODY,
        deadline: Duration::from_secs(10),
    };
    Api::new(NOTIFICATION)
        .route::<May<ViewSenders>>(routes!(senders::http::list_senders))
        .route::<May<ManageSenders>>(routes!(senders::http::create_sender))
        .route::<May<ViewSenders>>(routes!(senders::http::get_sender))
        .route::<May<ManageSenders>>(routes!(senders::http::resume_sender))
        .route::<May<ManageSenders>>(routes!(senders::http::renew_sender_token))
        .route::<May<ViewLogs>>(routes!(messages::http::list_messages))
        .route::<May<ViewLogs>>(routes!(messages::http::get_message))
        .route::<May<ViewSuppressions>>(routes!(suppressions::http::list_suppressions))
        .route::<May<ManageSuppressions>>(routes!(suppressions::http::suppress))
        .route::<May<ManageSuppressions>>(routes!(suppressions::http::lift_suppression))
        .route::<MetaSignature>(routes!(webhooks::verify_meta_webhook))
        .route_within::<MetaSignature>(callback, routes!(webhooks::receive_meta_webhook))
}
