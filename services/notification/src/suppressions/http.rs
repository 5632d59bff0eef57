//! Handlers of `/api/v1/notifications/suppressions`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{ManageSuppressions, ViewSuppressions};
use plaza_kernel::Page;
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::suppress::NewSuppression;
use super::{Suppression, SuppressionId, store};
use crate::Notification;

/// An address to be suppressed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuppressBody {
    /// In E.164.
    #[schema(example = "+4915117404120")]
    address: String,
    /// Why, for people.
    #[schema(example = "asked by telephone")]
    reason: Option<String>,
    /// `all`, which it is unless told, or `marketing`.
    scope: Option<String>,
    /// `whatsapp`, which it is unless told, or `sms`.
    channel: Option<String>,
}

/// An address that must not be written to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuppressionView {
    /// Its id.
    id: SuppressionId,
    /// `whatsapp`, `sms`.
    channel: String,
    /// In E.164.
    address: String,
    /// What must not be sent: all, marketing.
    scope: String,
    /// What said so: api, stop, preference, provider, review.
    source: String,
    /// Why.
    reason: String,
    /// Since when.
    created_at: DateTime<Utc>,
}

impl From<Suppression> for SuppressionView {
    fn from(suppression: Suppression) -> Self {
        Self {
            id: suppression.id,
            channel: suppression.channel,
            address: suppression.address,
            scope: suppression.scope.as_str().to_owned(),
            source: suppression.source,
            reason: suppression.reason,
            created_at: suppression.created_at,
        }
    }
}

/// List suppressed addresses, newest first.
#[utoipa::path(get, path = "/api/v1/notifications/suppressions", tag = "suppressions",
    operation_id = "list_suppressions", params(PageParams),
    responses((status = 200, body = Page<SuppressionView>), ApiErrors))]
pub(crate) async fn list_suppressions(
    State(notification): State<Notification>,
    granted: Granted<May<ViewSuppressions>>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<SuppressionView>>, ApiError> {
    let page = store::list(
        &notification.inner.database,
        granted.tenant(),
        page.parse()?,
        page.skip()?,
    )
    .await?;
    Ok(Json(page.map(SuppressionView::from)))
}

/// Suppress an address: nothing is sent to it any more, or no advertising, whatever is queued.
#[utoipa::path(post, path = "/api/v1/notifications/suppressions", tag = "suppressions", operation_id = "suppress",
    request_body = SuppressBody, responses((status = 201, body = SuppressionView), ApiErrors))]
pub(crate) async fn suppress(
    State(notification): State<Notification>,
    granted: Granted<May<ManageSuppressions>>,
    Json(body): Json<SuppressBody>,
) -> Result<(StatusCode, Json<SuppressionView>), ApiError> {
    let right = TenantRight::from(&granted);
    let new = NewSuppression {
        address: body.address,
        channel: body.channel,
        scope: body.scope,
        reason: body.reason,
    };
    let stands = notification.suppress(&right, new).await?;
    Ok((StatusCode::CREATED, Json(stands.into())))
}

/// Lift a suppression.
#[utoipa::path(delete, path = "/api/v1/notifications/suppressions/{id}", tag = "suppressions",
    operation_id = "lift_suppression", params(("id" = SuppressionId, Path)),
    responses((status = 204), ApiErrors))]
pub(crate) async fn lift_suppression(
    State(notification): State<Notification>,
    granted: Granted<May<ManageSuppressions>>,
    Path(id): Path<SuppressionId>,
) -> Result<StatusCode, ApiError> {
    notification
        .lift_suppression(&TenantRight::from(&granted), id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
