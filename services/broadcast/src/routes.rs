//! The table of contents: every route with its access rule.

use std::sync::Arc;
use std::time::Duration;

use plaza_contracts::permissions::{
    CreateCampaigns, CreateRecipients, CreateTemplates, DeleteCampaigns, DeleteRecipients, DeleteTemplates,
    ImportRecipients, SendCampaigns, UpdateCampaigns, UpdateTemplates, ViewCampaigns, ViewLogs,
    ViewRecipients, ViewTemplates,
};
use plaza_contracts::services::BROADCAST;
use plaza_web::{Api, May, PermissionSource, RouteLimits, ServiceApi};
use utoipa_axum::routes;

use crate::{Broadcast, campaigns, imports, logs, recipients, templates};

/// The routes of this service.
pub(crate) fn routes(broadcast: Broadcast, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
    Api::<Broadcast>::new(BROADCAST)
        .route::<May<ViewRecipients>>(routes!(recipients::http::list))
        .route::<May<CreateRecipients>>(routes!(recipients::http::add))
        .route::<May<ViewRecipients>>(routes!(recipients::http::get))
        .route::<May<DeleteRecipients>>(routes!(recipients::http::delete))
        .route_within::<May<ImportRecipients>>(upload(&broadcast), routes!(imports::http::receive))
        .route::<May<ViewRecipients>>(routes!(imports::http::list))
        .route::<May<ViewRecipients>>(routes!(imports::http::get))
        .route::<May<ViewRecipients>>(routes!(imports::http::errors))
        .route::<May<ImportRecipients>>(routes!(imports::http::cancel))
        .route::<May<ViewTemplates>>(routes!(templates::http::list))
        .route::<May<CreateTemplates>>(routes!(templates::http::create))
        .route::<May<ViewTemplates>>(routes!(templates::http::get))
        .route::<May<UpdateTemplates>>(routes!(templates::http::update))
        .route::<May<DeleteTemplates>>(routes!(templates::http::delete))
        .route::<May<ViewTemplates>>(routes!(templates::http::preview))
        .route::<May<ViewCampaigns>>(routes!(campaigns::http::list))
        .route::<May<CreateCampaigns>>(routes!(campaigns::http::create))
        .route::<May<ViewCampaigns>>(routes!(campaigns::http::get))
        .route::<May<UpdateCampaigns>>(routes!(campaigns::http::update))
        .route::<May<DeleteCampaigns>>(routes!(campaigns::http::delete))
        .route::<May<SendCampaigns>>(routes!(campaigns::http::steer::send))
        .route::<May<SendCampaigns>>(routes!(campaigns::http::steer::pause))
        .route::<May<SendCampaigns>>(routes!(campaigns::http::steer::resume))
        .route::<May<SendCampaigns>>(routes!(campaigns::http::steer::cancel))
        .route_within::<May<SendCampaigns>>(PATIENT, routes!(campaigns::http::steer::retry_failed))
        .route_within::<May<ViewCampaigns>>(PATIENT, routes!(campaigns::http::look::preview))
        .route_within::<May<ViewCampaigns>>(PATIENT, routes!(campaigns::http::look::estimate))
        .route::<May<ViewCampaigns>>(routes!(campaigns::http::look::progress))
        .route_within::<May<ViewCampaigns>>(PATIENT, routes!(campaigns::http::look::report))
        .route::<May<ViewCampaigns>>(routes!(campaigns::http::plan))
        .route::<May<ViewCampaigns>>(routes!(campaigns::http::exclusions))
        .route::<May<ViewLogs>>(routes!(logs::list))
        .build(broadcast, permissions)
}

/// Many recipients or messages are looked at for one answer. The front door waits ten seconds for it.
const PATIENT: RouteLimits = RouteLimits {
    body: 1 << 20,
    deadline: Duration::from_secs(9),
};

/// A whole file comes in one request: longer than any other, and for longer.
fn upload(broadcast: &Broadcast) -> RouteLimits {
    // The file, and around it the marks of multipart and the mapping.
    let body = broadcast.config.import_most_bytes.saturating_add(1 << 20);
    RouteLimits {
        body: usize::try_from(body).unwrap_or(usize::MAX),
        deadline: Duration::from_secs(broadcast.config.upload_seconds),
    }
}
