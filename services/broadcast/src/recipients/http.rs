//! Recipients over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use plaza_contracts::permissions::{CreateRecipients, DeleteRecipients, ViewRecipients};
use plaza_kernel::Page;
use plaza_web::{
    ApiError, ApiErrors, Granted, Json, May, OnceJson, OnceParams, PageParams, Path, Query, answered,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::add::NewRecipient;
use super::{NoRecipient, Recipient, e164, store};
use crate::listing::Window;
use crate::repeatable::Repeatable;
use crate::{Broadcast, ImportId, RecipientId};

/// Which recipients.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecipientFilter {
    /// Only the one with this number in E.164 (the plus as `%2B`).
    phone: Option<String>,
    /// Only those that this import wrote last.
    import_id: Option<ImportId>,
}

/// The tenant's recipients, newest first.
#[utoipa::path(get, path = "/api/v1/broadcast/recipients", tag = "recipients", operation_id = "list_recipients",
    params(PageParams, RecipientFilter), responses((status = 200, body = Page<Recipient>), ApiErrors))]
pub(crate) async fn list(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewRecipients>>,
    Query(query): Query<PageParams>,
    Query(filter): Query<RecipientFilter>,
) -> Result<Json<Page<Recipient>>, ApiError> {
    let window = Window::of(&query)?;
    let phone = filter.phone.as_deref().map(e164).transpose()?;
    let found = store::list(
        &broadcast.database,
        granted.tenant(),
        window,
        phone,
        filter.import_id,
    )
    .await?;
    Ok(Json(Page::from_found(found, window.limit, |recipient| {
        recipient.id
    })))
}

/// Add a recipient.
#[utoipa::path(post, path = "/api/v1/broadcast/recipients", tag = "recipients", operation_id = "add_recipient",
    params(OnceParams), request_body = NewRecipient, responses((status = 201, body = Recipient), ApiErrors))]
pub(crate) async fn add(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<CreateRecipients>>,
    OnceJson(new, key): OnceJson<NewRecipient>,
) -> Result<Response, ApiError> {
    let repeatable = Repeatable::of(granted.caller().subject, key);
    let added = broadcast
        .add_recipient(granted.tenant(), &new, &repeatable)
        .await?;
    Ok(answered(StatusCode::CREATED, added))
}

/// One recipient.
#[utoipa::path(get, path = "/api/v1/broadcast/recipients/{id}", tag = "recipients", operation_id = "get_recipient",
    params(("id" = RecipientId, Path)), responses((status = 200, body = Recipient), ApiErrors))]
pub(crate) async fn get(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewRecipients>>,
    Path(id): Path<RecipientId>,
) -> Result<Json<Recipient>, ApiError> {
    let found = store::get(&broadcast.database, granted.tenant(), id).await?;
    Ok(found.map(Json).ok_or(NoRecipient)?)
}

/// Remove a recipient.
#[utoipa::path(delete, path = "/api/v1/broadcast/recipients/{id}", tag = "recipients",
    operation_id = "delete_recipient", params(("id" = RecipientId, Path)), responses((status = 204), ApiErrors))]
pub(crate) async fn delete(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<DeleteRecipients>>,
    Path(id): Path<RecipientId>,
) -> Result<StatusCode, ApiError> {
    broadcast.delete_recipient(granted.tenant(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
