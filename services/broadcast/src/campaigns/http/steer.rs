//! Sending, pausing, resuming, calling off, and trying again.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use plaza_contracts::ids::CampaignId;
use plaza_contracts::permissions::SendCampaigns;
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, OnceHead, OnceParams, Path, answered};

use crate::Broadcast;
use crate::campaigns::Campaign;
use crate::campaigns::retry::{Requeued, WhichFailed};
use crate::repeatable::Repeatable;

/// Begin to send a draft: at once, or when its time has come.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/send", tag = "campaigns", operation_id = "send_campaign",
    params(("id" = CampaignId, Path), OnceParams), responses((status = 202, body = Campaign), ApiErrors))]
pub(crate) async fn send(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<SendCampaigns>>,
    Path(id): Path<CampaignId>,
    OnceHead(key): OnceHead,
) -> Result<Response, ApiError> {
    let repeatable = Repeatable::of(granted.caller().subject, key);
    let sent = broadcast.send_campaign(granted.tenant(), id, &repeatable).await?;
    Ok(answered(StatusCode::ACCEPTED, sent))
}

/// Let nothing more leave until the campaign is resumed. It is `pausing` until that is certain, then `paused`.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/pause", tag = "campaigns",
    operation_id = "pause_campaign", params(("id" = CampaignId, Path)),
    responses((status = 202, body = Campaign), ApiErrors))]
pub(crate) async fn pause(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<SendCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<(StatusCode, Json<Campaign>), ApiError> {
    let campaign = broadcast.pause_campaign(granted.tenant(), id).await?;
    Ok((StatusCode::ACCEPTED, Json(campaign)))
}

/// Let a paused campaign go on.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/resume", tag = "campaigns",
    operation_id = "resume_campaign", params(("id" = CampaignId, Path)),
    responses((status = 202, body = Campaign), ApiErrors))]
pub(crate) async fn resume(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<SendCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<(StatusCode, Json<Campaign>), ApiError> {
    let campaign = broadcast.resume_campaign(granted.tenant(), id).await?;
    Ok((StatusCode::ACCEPTED, Json(campaign)))
}

/// Call a campaign off. It is `cancelling` until it is certain that nothing more leaves, then `cancelled`.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/cancel", tag = "campaigns",
    operation_id = "cancel_campaign", params(("id" = CampaignId, Path)),
    responses((status = 202, body = Campaign), ApiErrors))]
pub(crate) async fn cancel(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<SendCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<(StatusCode, Json<Campaign>), ApiError> {
    let campaign = broadcast.cancel_campaign(granted.tenant(), id).await?;
    Ok((StatusCode::ACCEPTED, Json(campaign)))
}

/// Send the failed messages of a completed campaign once more, of those failures that may pass.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/retry-failed", tag = "campaigns",
    operation_id = "retry_failed", params(("id" = CampaignId, Path)), request_body = WhichFailed,
    responses((status = 202, body = Requeued), ApiErrors))]
pub(crate) async fn retry_failed(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<SendCampaigns>>,
    Path(id): Path<CampaignId>,
    Json(which): Json<WhichFailed>,
) -> Result<(StatusCode, Json<Requeued>), ApiError> {
    let requeued = broadcast.retry_failed(granted.tenant(), id, which).await?;
    Ok((StatusCode::ACCEPTED, Json(requeued)))
}
