//! Looking at a campaign: what it would do, how far it is, and what became of it.

use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_util::stream::{BoxStream, StreamExt as _};
use plaza_contracts::ids::CampaignId;
use plaza_contracts::permissions::ViewCampaigns;
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, Path};

use crate::Broadcast;
use crate::campaigns::forecast::Forecast;
use crate::campaigns::preview::Estimate;
use crate::campaigns::progress::Progress;
use crate::campaigns::report::Report;

/// How often a stream without news says that it is still there: proxies cut what says nothing for a minute.
const STILL_THERE: Duration = Duration::from_secs(15);

/// A stream of events.
type Events = Sse<KeepAliveStream<BoxStream<'static, Result<Event, axum::Error>>>>;

/// What would become of a draft if it were sent now. Nothing of it is written or sent.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/preview", tag = "campaigns",
    operation_id = "preview_campaign", params(("id" = CampaignId, Path)),
    responses((status = 200, body = Forecast), ApiErrors))]
pub(crate) async fn preview(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Forecast>, ApiError> {
    Ok(Json(broadcast.preview_campaign(granted.tenant(), id).await?))
}

/// What would become of a campaign with this template and audience.
#[utoipa::path(post, path = "/api/v1/broadcast/estimate", tag = "campaigns", operation_id = "estimate",
    request_body = Estimate, responses((status = 200, body = Forecast), ApiErrors))]
pub(crate) async fn estimate(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Json(estimate): Json<Estimate>,
) -> Result<Json<Forecast>, ApiError> {
    Ok(Json(broadcast.estimate(granted.tenant(), estimate).await?))
}

/// How far a campaign is, as server-sent events `progress`: at once, on every change at most once a second, and for the last
/// time when it is over. The stream ends after some minutes; each event is the whole of it, so nothing is missed by
/// connecting again.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns/{id}/progress", tag = "campaigns",
    operation_id = "watch_campaign", params(("id" = CampaignId, Path)),
    responses((status = 200, body = Progress, content_type = "text/event-stream"), ApiErrors))]
pub(crate) async fn progress(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<Events, ApiError> {
    let events = broadcast.watch(granted.tenant(), id).await?.boxed();
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(STILL_THERE)))
}

/// What became of a campaign.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns/{id}/report", tag = "campaigns",
    operation_id = "get_campaign_report", params(("id" = CampaignId, Path)),
    responses((status = 200, body = Report), ApiErrors))]
pub(crate) async fn report(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Report>, ApiError> {
    Ok(Json(broadcast.report(granted.tenant(), id).await?))
}
