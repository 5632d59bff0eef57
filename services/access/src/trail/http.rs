//! Handlers of `/api/v1/admin/audit`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use plaza_audit::AuditFilter;
use plaza_contracts::permissions::ViewAudit;
use plaza_kernel::{Page, TenantId, UserId};
use plaza_web::{ApiError, ApiErrors, Granted, Json, MayOrPlatformAdmin, PageParams, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::TrailError;
use super::position::Position;
use super::verify::Checked;
use super::view::EntryView;
use crate::Access;

/// Whose audit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// For who runs the platform: this tenant's. Left out: one's own tenant's, or what was done on the platform itself.
    tenant_id: Option<TenantId>,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntryFilter {
    /// Only what this person did.
    actor: Option<UserId>,
    /// Only what was done to the thing with this id.
    #[param(max_length = 200)]
    target: Option<String>,
    /// Only this action (`campaigns.send`); with a dot at the end all actions on a resource: `campaigns.`.
    #[param(max_length = 100)]
    action: Option<String>,
    /// Not before this time.
    from: Option<DateTime<Utc>>,
    /// Before this time.
    to: Option<DateTime<Utc>>,
}

impl From<EntryFilter> for AuditFilter {
    fn from(filter: EntryFilter) -> Self {
        Self {
            actor: filter.actor,
            target: filter.target,
            action: filter.action,
            from: filter.from,
            to: filter.to,
        }
    }
}

/// Where a check goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Further {
    /// The `next` of the check before.
    after: Option<String>,
}

/// The last place of a chain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeadView {
    /// From 1, without gaps.
    seq: i64,
    /// SHA-256 of the entry and of the hash before it, hexadecimal. Who notes it down finds later that the end was cut off.
    hash: String,
}

/// The first place of a chain where something is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BrokenView {
    /// The place.
    seq: i64,
    /// The entry that is there.
    entry_id: Uuid,
    /// `changed`, `removed`, or `gap`: places before it are gone.
    #[schema(example = "changed")]
    fault: String,
}

/// What the check of a service's chain came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChainView {
    /// The service.
    #[schema(value_type = String, example = "broadcast")]
    service: &'static str,
    /// Entries in the chain that were checked now.
    entries: u64,
    /// Entries that have no place in the chain yet: that takes seconds.
    unchained: u64,
    /// Those of them that should have one: nobody at Plaza wrote them, or nobody chains.
    late: u64,
    /// The first of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_late: Option<Uuid>,
    /// The last place that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<HeadView>,
    /// Where something is wrong for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<BrokenView>,
}

/// What a check came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifiedView {
    /// Whether nothing that was checked now is wrong.
    whole: bool,
    /// What to send as `after` to check the rest; absent once all was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// By service.
    chains: Vec<ChainView>,
}

impl From<&Checked> for ChainView {
    fn from(checked: &Checked) -> Self {
        let verified = &checked.verified;
        Self {
            service: checked.service.as_str(),
            entries: verified.entries,
            unchained: verified.unchained,
            late: verified.late,
            first_late: verified.first_late,
            head: verified.head.map(|(seq, hash)| HeadView {
                seq,
                hash: hex::encode(hash),
            }),
            broken: verified.broken.map(|broken| BrokenView {
                seq: broken.seq,
                entry_id: broken.entry,
                fault: broken.fault.as_str().to_owned(),
            }),
        }
    }
}

/// List who did what, newest first, in all services: in one's own tenant; for who runs the platform, on the platform itself or in
/// the tenant that is named, which is told of in its audit.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "audit", operation_id = "list_audit",
    params(Whose, EntryFilter, PageParams), responses((status = 200, body = Page<EntryView>), ApiErrors))]
pub(crate) async fn list_audit(
    State(access): State<Access>,
    granted: Granted<MayOrPlatformAdmin<ViewAudit>>,
    Query(whose): Query<Whose>,
    Query(filter): Query<EntryFilter>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<EntryView>>, ApiError> {
    let (page, skip) = (page.parse()?, page.skip()?);
    let scope = access.trail_of(granted.caller(), whose.tenant_id).await?;
    access.tell_reading(granted.caller(), scope).await?;
    let page = access.trail_page_later(scope, &filter.into(), page, skip).await?;
    Ok(Json(page.map(EntryView::from)))
}

/// Download who did what, newest first, an entry a line. That it was downloaded is in the audit too.
#[utoipa::path(get, path = "/api/v1/admin/audit/export", tag = "audit", operation_id = "export_audit",
    params(Whose, EntryFilter),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), ApiErrors))]
pub(crate) async fn export_audit(
    State(access): State<Access>,
    granted: Granted<MayOrPlatformAdmin<ViewAudit>>,
    Query(whose): Query<Whose>,
    Query(filter): Query<EntryFilter>,
) -> Result<Response, ApiError> {
    let scope = access.trail_of(granted.caller(), whose.tenant_id).await?;
    Ok(access
        .export_trail(granted.caller(), scope, filter.into())
        .await?)
}

/// Check that no entry was changed, added or taken away since it was written. Long chains take several requests.
#[utoipa::path(get, path = "/api/v1/admin/audit/verify", tag = "audit", operation_id = "verify_audit",
    params(Whose, Further), responses((status = 200, body = VerifiedView), ApiErrors))]
pub(crate) async fn verify_audit(
    State(access): State<Access>,
    granted: Granted<MayOrPlatformAdmin<ViewAudit>>,
    Query(whose): Query<Whose>,
    Query(further): Query<Further>,
) -> Result<Json<VerifiedView>, ApiError> {
    let from = match &further.after {
        None => Position::beginning(),
        Some(text) => Position::parse(text).ok_or(TrailError::Position)?,
    };
    let scope = access.trail_of(granted.caller(), whose.tenant_id).await?;
    let checked = access.verify_trail(scope, &from).await?;
    Ok(Json(VerifiedView {
        whole: checked.iter().all(|chain| chain.verified.is_whole()),
        next: Position::left_by(&checked).to_text(),
        chains: checked.iter().map(ChainView::from).collect(),
    }))
}
