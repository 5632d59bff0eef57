//! Templates over HTTP.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use plaza_contracts::permissions::{CreateTemplates, DeleteTemplates, UpdateTemplates, ViewTemplates};
use plaza_kernel::Page;
use plaza_web::{
    ApiError, ApiErrors, Granted, IfMatch, IfMatchParams, Json, May, OnceJson, OnceParams, PageParams, Path,
    PreconditionErrors, Query, Version, answered, etag,
};

use super::create::NewTemplate;
use super::preview::{TemplatePreview, Values};
use super::{NoTemplate, Template, store};
use crate::listing::Window;
use crate::repeatable::Repeatable;
use crate::{Broadcast, TemplateId};

/// A template and the header that names its version.
type Versioned = ([(HeaderName, HeaderValue); 1], Json<Template>);

fn versioned(template: Template) -> Versioned {
    ([etag(Version(template.version))], Json(template))
}

/// The tenant's templates, newest first.
#[utoipa::path(get, path = "/api/v1/broadcast/templates", tag = "templates", operation_id = "list_templates",
    params(PageParams), responses((status = 200, body = Page<Template>), ApiErrors))]
pub(crate) async fn list(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewTemplates>>,
    Query(query): Query<PageParams>,
) -> Result<Json<Page<Template>>, ApiError> {
    let window = Window::of(&query)?;
    let found = store::list(&broadcast.database, granted.tenant(), window).await?;
    Ok(Json(
        Page::from_found(found, window.limit, |template| template.id).map(Template::from),
    ))
}

/// Make a template.
#[utoipa::path(post, path = "/api/v1/broadcast/templates", tag = "templates", operation_id = "create_template",
    params(OnceParams), request_body = NewTemplate, responses((status = 201, body = Template), ApiErrors))]
pub(crate) async fn create(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<CreateTemplates>>,
    OnceJson(new, key): OnceJson<NewTemplate>,
) -> Result<Response, ApiError> {
    let repeatable = Repeatable::of(granted.caller().subject, key);
    let made = broadcast
        .create_template(granted.tenant(), new, &repeatable)
        .await?;
    Ok(answered(StatusCode::CREATED, made))
}

/// One template.
#[utoipa::path(get, path = "/api/v1/broadcast/templates/{id}", tag = "templates", operation_id = "get_template",
    params(("id" = TemplateId, Path)), responses((status = 200, body = Template), ApiErrors))]
pub(crate) async fn get(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewTemplates>>,
    Path(id): Path<TemplateId>,
) -> Result<Versioned, ApiError> {
    let found = store::get(&broadcast.database, granted.tenant(), id).await?;
    Ok(found
        .map(|template| versioned(template.into()))
        .ok_or(NoTemplate)?)
}

/// Make a template say something else. What is planned already keeps the text that it was planned with.
#[utoipa::path(put, path = "/api/v1/broadcast/templates/{id}", tag = "templates", operation_id = "update_template",
    params(("id" = TemplateId, Path), IfMatchParams), request_body = NewTemplate,
    responses((status = 200, body = Template), PreconditionErrors, ApiErrors))]
pub(crate) async fn update(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<UpdateTemplates>>,
    Path(id): Path<TemplateId>,
    if_match: IfMatch,
    Json(new): Json<NewTemplate>,
) -> Result<Versioned, ApiError> {
    let version = if_match.required()?;
    let changed = broadcast.change_template(granted.tenant(), id, version, new);
    Ok(versioned(changed.await?))
}

/// Remove a template that no campaign waits with. Its name is free again.
#[utoipa::path(delete, path = "/api/v1/broadcast/templates/{id}", tag = "templates",
    operation_id = "delete_template", params(("id" = TemplateId, Path)), responses((status = 204), ApiErrors))]
pub(crate) async fn delete(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<DeleteTemplates>>,
    Path(id): Path<TemplateId>,
) -> Result<StatusCode, ApiError> {
    broadcast.delete_template(granted.tenant(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a template reads with these values, and what it costs as an SMS.
#[utoipa::path(post, path = "/api/v1/broadcast/templates/{id}/preview", tag = "templates",
    operation_id = "preview_template", params(("id" = TemplateId, Path)), request_body = Values,
    responses((status = 200, body = TemplatePreview), ApiErrors))]
pub(crate) async fn preview(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewTemplates>>,
    Path(id): Path<TemplateId>,
    Json(values): Json<Values>,
) -> Result<Json<TemplatePreview>, ApiError> {
    let preview = broadcast.preview_template(granted.tenant(), id, values);
    Ok(Json(preview.await?))
}
