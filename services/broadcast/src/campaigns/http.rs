//! Campaigns over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use plaza_contracts::ids::CampaignId;
use plaza_contracts::permissions::{CreateCampaigns, SendCampaigns, ViewCampaigns};
use plaza_kernel::{Page, TenantId};
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Path, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use super::create::NewCampaign;
use super::plan::{PlanRow, Reason, Which};
use super::{Campaign, plan, store};
use crate::Broadcast;
use crate::listing::Window;

/// The tenant's campaigns, newest first, without message counts.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns", tag = "campaigns", operation_id = "list_campaigns",
    params(PageParams), responses((status = 200, body = Page<Campaign>), ApiErrors))]
pub(crate) async fn list(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Query(query): Query<PageParams>,
) -> Result<Json<Page<Campaign>>, ApiError> {
    let window = Window::of(&query)?;
    let found = store::list(&broadcast.database, granted.tenant(), window).await?;
    Ok(Json(
        Page::from_found(found, window.limit, |campaign| campaign.id).map(Campaign::from),
    ))
}

/// Make a campaign: a draft.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns", tag = "campaigns", operation_id = "create_campaign",
    request_body = NewCampaign, responses((status = 201, body = Campaign), ApiErrors))]
pub(crate) async fn create(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<CreateCampaigns>>,
    Json(new): Json<NewCampaign>,
) -> Result<(StatusCode, Json<Campaign>), ApiError> {
    Ok((
        StatusCode::CREATED,
        Json(broadcast.create_campaign(granted.tenant(), new).await?),
    ))
}

/// One campaign, with the messages by state as notification knows them now.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns/{id}", tag = "campaigns", operation_id = "get_campaign",
    params(("id" = CampaignId, Path)), responses((status = 200, body = Campaign), ApiErrors))]
pub(crate) async fn get(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Campaign>, ApiError> {
    Ok(Json(broadcast.campaign_with_counts(granted.tenant(), id).await?))
}

/// Begin to send a draft.
#[utoipa::path(post, path = "/api/v1/broadcast/campaigns/{id}/send", tag = "campaigns", operation_id = "send_campaign",
    params(("id" = CampaignId, Path)), responses((status = 202, body = Campaign), ApiErrors))]
pub(crate) async fn send(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<SendCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<(StatusCode, Json<Campaign>), ApiError> {
    Ok((
        StatusCode::ACCEPTED,
        Json(broadcast.send_campaign(granted.tenant(), id).await?),
    ))
}

/// Which rows of a plan.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlanFilter {
    /// Only rows with this reason.
    reason: Option<Reason>,
}

/// What was decided about every recipient.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns/{id}/plan", tag = "campaigns", operation_id = "list_campaign_plan",
    params(("id" = CampaignId, Path), PageParams, PlanFilter),
    responses((status = 200, body = Page<PlanRow>), ApiErrors))]
pub(crate) async fn plan(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
    Query(query): Query<PageParams>,
    Query(filter): Query<PlanFilter>,
) -> Result<Json<Page<PlanRow>>, ApiError> {
    rows(
        &broadcast,
        granted.tenant(),
        id,
        &query,
        filter.reason.map_or(Which::All, Which::Because),
    )
    .await
}

/// Recipients who get no message, each with the reason.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns/{id}/exclusions", tag = "campaigns",
    operation_id = "list_campaign_exclusions", params(("id" = CampaignId, Path), PageParams),
    responses((status = 200, body = Page<PlanRow>), ApiErrors))]
pub(crate) async fn exclusions(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
    Query(query): Query<PageParams>,
) -> Result<Json<Page<PlanRow>>, ApiError> {
    rows(&broadcast, granted.tenant(), id, &query, Which::Excluded).await
}

async fn rows(
    broadcast: &Broadcast,
    tenant: TenantId,
    id: CampaignId,
    query: &PageParams,
    which: Which,
) -> Result<Json<Page<PlanRow>>, ApiError> {
    let window = Window::of(query)?;
    broadcast.campaign(tenant, id).await?;
    let rows = plan::list(&broadcast.database, tenant, id, window, which).await?;
    Ok(Json(Page::from_found(rows, window.limit, |row| row.recipient_id)))
}
