//! The OpenAPI 3.1 document: the services' parts in one, with who may use what.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use plaza_kernel::FieldError;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, RefOr, ServerBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::fixed::Fixed;
use crate::{ApiErrors, Problem, RuleText, ServiceApi, problem, reference};

/// The name of the security scheme: an access token in `Authorization`.
const BEARER: &str = "bearer";

/// All services in one document.
pub fn document(apis: &[ServiceApi]) -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    let info = InfoBuilder::new()
        .title("Plaza")
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    let servers = [ServerBuilder::new().url("/").build()];
    let mut whole = OpenApiBuilder::new().info(info).servers(Some(servers)).build();
    apis.iter().for_each(|api| whole.merge(api.openapi.clone()));
    let components = whole.components.get_or_insert_default();
    components.schemas.append(&mut problem_schemas());
    components
        .security_schemes
        .insert(BEARER.to_owned(), SecurityScheme::Http(bearer).into());
    whole
}

/// What would be lost or ambiguous in one document: an operation id or a route that two have, a schema's name that
/// stands for two shapes. Empty when all is well; a test of the whole asks for that.
pub fn conflicts(apis: &[ServiceApi]) -> Vec<String> {
    let routes = || apis.iter().flat_map(|api| &api.routes);
    let addresses: Vec<String> = routes()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let ids = repeated(routes().map(|route| route.operation.as_str()));
    let ids = ids
        .into_iter()
        .map(|id| format!("operation id `{id}` is not unique"));
    let paths = repeated(addresses.iter().map(String::as_str));
    let paths = paths
        .into_iter()
        .map(|path| format!("route `{path}` is not unique"));
    ids.chain(paths).chain(ambiguous_schemas(apis)).collect()
}

fn ambiguous_schemas(apis: &[ServiceApi]) -> Vec<String> {
    let mut first = BTreeMap::new();
    let mut ambiguous = BTreeSet::new();
    for (name, schema) in apis
        .iter()
        .filter_map(|api| api.openapi.components.as_ref())
        .flat_map(|all| &all.schemas)
    {
        if first.entry(name).or_insert(schema) != &schema {
            ambiguous.insert(format!("schema `{name}` stands for two shapes"));
        }
    }
    ambiguous.into_iter().collect()
}

/// The document as text; equal documents give equal text.
pub fn to_json(document: &OpenApi) -> String {
    // Cannot fail: the document is made of strings, numbers and maps with string keys.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Serves the document at `/openapi.json`, rendered once, and a page to read it with at `/docs`.
pub fn router(document: &OpenApi) -> Router {
    let text = Fixed::new("application/json", to_json(document));
    reference::serve("/openapi.json", text).merge(reference::router())
}

/// The operations of a path with their methods.
pub(crate) fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem {
        get,
        put,
        post,
        delete,
        options,
        head,
        patch,
        trace,
        ..
    } = item;
    [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("DELETE", delete),
        ("OPTIONS", options),
        ("HEAD", head),
        ("PATCH", patch),
        ("TRACE", trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Writes down who may use an operation, and how it can fail.
pub(crate) fn document_access(operation: &mut Operation, access: &RuleText) {
    let extension = ExtensionsBuilder::new()
        .add("x-plaza-access", access.text.clone())
        .build();
    operation.extensions.get_or_insert_default().merge(extension);
    let bearer = || SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, []);
    operation.security = Some(if access.authenticated {
        vec![bearer()]
    } else {
        Vec::new()
    });
    let mut errors = ApiErrors::responses();
    if operation.request_body.is_some() {
        let of_body = [
            ("408", "The body did not arrive in time."),
            ("413", "The body is too long."),
            ("415", "The body is not in a form that is understood."),
        ];
        errors.extend(of_body.map(|(status, text)| (status.to_owned(), problem::documented(text).into())));
    }
    for (status, response) in errors {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

/// The schemas that every error response refers to.
pub(crate) fn problem_schemas() -> BTreeMap<String, RefOr<Schema>> {
    BTreeMap::from([
        (Problem::name().into_owned(), Problem::schema()),
        (FieldError::name().into_owned(), FieldError::schema()),
    ])
}

/// What occurs more than once.
pub(crate) fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}
