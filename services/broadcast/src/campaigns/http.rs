//! Campaigns over HTTP. What steers one that was sent is in `http/steer.rs`, what looks at one in `http/look.rs`.

pub(crate) mod look;
pub(crate) mod steer;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use plaza_contracts::ids::CampaignId;
use plaza_contracts::permissions::{CreateCampaigns, DeleteCampaigns, UpdateCampaigns, ViewCampaigns};
use plaza_kernel::{Page, TenantId};
use plaza_web::{
    ApiError, ApiErrors, Granted, IfMatch, IfMatchParams, Json, May, OnceJson, OnceParams, PageParams, Path,
    PreconditionErrors, Query, Version, answered, etag,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::change::CampaignChange;
use super::create::NewCampaign;
use super::plan::{PlanRow, Reason, Which};
use super::{Campaign, plan, store};
use crate::Broadcast;
use crate::listing::Window;
use crate::repeatable::Repeatable;

/// A campaign and the header that names its version.
type Versioned = ([(HeaderName, HeaderValue); 1], Json<Campaign>);

fn versioned(campaign: Campaign) -> Versioned {
    ([etag(Version(campaign.version))], Json(campaign))
}

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
    params(OnceParams), request_body = NewCampaign, responses((status = 201, body = Campaign), ApiErrors))]
pub(crate) async fn create(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<CreateCampaigns>>,
    OnceJson(new, key): OnceJson<NewCampaign>,
) -> Result<Response, ApiError> {
    let repeatable = Repeatable::of(granted.caller().subject, key);
    let made = broadcast
        .create_campaign(granted.tenant(), new, &repeatable)
        .await?;
    Ok(answered(StatusCode::CREATED, made))
}

/// One campaign, with the messages by state as notification knows them now.
#[utoipa::path(get, path = "/api/v1/broadcast/campaigns/{id}", tag = "campaigns", operation_id = "get_campaign",
    params(("id" = CampaignId, Path)), responses((status = 200, body = Campaign), ApiErrors))]
pub(crate) async fn get(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<Versioned, ApiError> {
    Ok(versioned(
        broadcast.campaign_with_counts(granted.tenant(), id).await?,
    ))
}

/// Change a campaign that was not sent yet. What the body does not name stays as it is.
#[utoipa::path(put, path = "/api/v1/broadcast/campaigns/{id}", tag = "campaigns", operation_id = "update_campaign",
    params(("id" = CampaignId, Path), IfMatchParams), request_body = CampaignChange,
    responses((status = 200, body = Campaign), PreconditionErrors, ApiErrors))]
pub(crate) async fn update(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<UpdateCampaigns>>,
    Path(id): Path<CampaignId>,
    if_match: IfMatch,
    Json(change): Json<CampaignChange>,
) -> Result<Versioned, ApiError> {
    let version = if_match.required()?;
    let changed = broadcast.change_campaign(granted.tenant(), id, version, change);
    Ok(versioned(changed.await?))
}

/// Put a campaign away of which nothing is under way. What was sent stays in the logs.
#[utoipa::path(delete, path = "/api/v1/broadcast/campaigns/{id}", tag = "campaigns", operation_id = "delete_campaign",
    params(("id" = CampaignId, Path)), responses((status = 204), ApiErrors))]
pub(crate) async fn delete(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<DeleteCampaigns>>,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, ApiError> {
    broadcast.delete_campaign(granted.tenant(), id).await?;
    Ok(StatusCode::NO_CONTENT)
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
