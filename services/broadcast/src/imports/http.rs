//! Imports over HTTP.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::Response;
use plaza_contracts::permissions::{ImportRecipients, ViewRecipients};
use plaza_kernel::Page;
use plaza_web::{
    ApiError, ApiErrors, Granted, Json, May, Multipart, OnceParams, OnceUpload, PageParams, Path, Query,
    answered,
};
use utoipa::ToSchema;

use super::mapping::ImportMapping;
use super::{Import, NoImport, errors_csv, store};
use crate::listing::Window;
use crate::{Broadcast, ImportId};

/// The parts of an upload.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "read part by part, as a stream; this only documents them"
)]
pub(crate) struct ImportUpload {
    /// The file: CSV, or a workbook (`.xlsx`) of which the first visible sheet is read.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// What is known about it, as JSON.
    mapping: Option<ImportMapping>,
    /// `true` to find out what would become of each row, and to write no recipient.
    dry_run: Option<bool>,
}

/// Import recipients from a CSV file or a workbook. The import starts at once.
#[utoipa::path(post, path = "/api/v1/broadcast/recipients/import", tag = "recipients", operation_id = "import_recipients",
    params(OnceParams), request_body(content = ImportUpload, content_type = "multipart/form-data"),
    responses((status = 202, body = Import, headers(("Location" = String, description = "the import"))), ApiErrors))]
pub(crate) async fn receive(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ImportRecipients>>,
    once: OnceUpload,
    parts: Multipart,
) -> Result<([(HeaderName, String); 1], Response), ApiError> {
    let by = granted.caller().subject;
    let (id, import) = broadcast
        .receive_import(granted.tenant(), by, once, parts)
        .await?;
    let location = format!("/api/v1/broadcast/imports/{id}");
    Ok((
        [(header::LOCATION, location)],
        answered(StatusCode::ACCEPTED, import),
    ))
}

/// The tenant's imports, newest first.
#[utoipa::path(get, path = "/api/v1/broadcast/imports", tag = "recipients", operation_id = "list_imports",
    params(PageParams), responses((status = 200, body = Page<Import>), ApiErrors))]
pub(crate) async fn list(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewRecipients>>,
    Query(query): Query<PageParams>,
) -> Result<Json<Page<Import>>, ApiError> {
    let window = Window::of(&query)?;
    let found = store::list(&broadcast.database, granted.tenant(), window).await?;
    Ok(Json(
        Page::from_found(found, window.limit, |import| import.id).map(Import::from),
    ))
}

/// One import and how far it is.
#[utoipa::path(get, path = "/api/v1/broadcast/imports/{id}", tag = "recipients", operation_id = "get_import",
    params(("id" = ImportId, Path)), responses((status = 200, body = Import), ApiErrors))]
pub(crate) async fn get(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewRecipients>>,
    Path(id): Path<ImportId>,
) -> Result<Json<Import>, ApiError> {
    let import = broadcast.import(granted.tenant(), id).await?;
    Ok(import.map(Json).ok_or(NoImport)?)
}

/// End an import before its end. What was read until now stays.
#[utoipa::path(post, path = "/api/v1/broadcast/imports/{id}/cancel", tag = "recipients", operation_id = "cancel_import",
    params(("id" = ImportId, Path)), responses((status = 200, body = Import), ApiErrors))]
pub(crate) async fn cancel(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ImportRecipients>>,
    Path(id): Path<ImportId>,
) -> Result<Json<Import>, ApiError> {
    Ok(Json(broadcast.cancel_import(granted.tenant(), id).await?))
}

/// The rows that made no recipient: `row,class,value`. The header of the file is row 1.
#[utoipa::path(get, path = "/api/v1/broadcast/imports/{id}/errors.csv", tag = "recipients",
    operation_id = "get_import_errors", params(("id" = ImportId, Path)),
    responses((status = 200, body = String, content_type = "text/csv"), ApiErrors))]
pub(crate) async fn errors(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewRecipients>>,
    Path(id): Path<ImportId>,
) -> Result<Response, ApiError> {
    let tenant = granted.tenant();
    broadcast.import(tenant, id).await?.ok_or(NoImport)?;
    Ok(errors_csv::response(broadcast, tenant, id))
}
