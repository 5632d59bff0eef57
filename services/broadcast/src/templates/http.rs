//! Templates over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use plaza_contracts::permissions::{CreateTemplates, ViewTemplates};
use plaza_kernel::Page;
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Path, Query};

use super::create::NewTemplate;
use super::{NoTemplate, Template, store};
use crate::listing::Window;
use crate::{Broadcast, TemplateId};

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
    request_body = NewTemplate, responses((status = 201, body = Template), ApiErrors))]
pub(crate) async fn create(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<CreateTemplates>>,
    Json(new): Json<NewTemplate>,
) -> Result<(StatusCode, Json<Template>), ApiError> {
    Ok((
        StatusCode::CREATED,
        Json(broadcast.create_template(granted.tenant(), new).await?),
    ))
}

/// One template.
#[utoipa::path(get, path = "/api/v1/broadcast/templates/{id}", tag = "templates", operation_id = "get_template",
    params(("id" = TemplateId, Path)), responses((status = 200, body = Template), ApiErrors))]
pub(crate) async fn get(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewTemplates>>,
    Path(id): Path<TemplateId>,
) -> Result<Json<Template>, ApiError> {
    let found = store::get(&broadcast.database, granted.tenant(), id).await?;
    Ok(found.map(|template| Json(template.into())).ok_or(NoTemplate)?)
}
