//! A service's routes, each with its access rule, its limits and its entry in the OpenAPI document.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use plaza_kernel::ServiceName;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::UtoipaMethodRouter;

use crate::access::RuleValue;
use crate::gate::{Gate, GateLayer};
use crate::{ApiError, InternalListener, PermissionSource, RouteTemplate, Rule, RuleText, openapi};

/// What one request of a route may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteLimits {
    /// The longest accepted body in bytes.
    pub body: usize,
    /// How long the handler may take.
    pub deadline: Duration,
}

impl Default for RouteLimits {
    /// 1 MiB and 5 s.
    fn default() -> Self {
        Self {
            body: 1 << 20,
            deadline: Duration::from_secs(5),
        }
    }
}

/// One operation, for `plaza routes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// `GET`, …
    pub method: String,
    /// `/api/v1/broadcast/campaigns/{id}`.
    pub path: String,
    /// Who may.
    pub access: RuleText,
    /// Which service answers.
    pub service: ServiceName,
    /// `operationId`.
    pub operation: String,
}

/// The routes of a service under construction. `S` is the service itself: the state of its handlers.
///
/// ```compile_fail
/// // A route without a rule does not compile: nothing says who `R` is.
/// fn open(api: plaza_web::Api<()>, route: utoipa_axum::router::UtoipaMethodRouter<()>) {
///     let _ = api.route(route);
/// }
/// ```
pub struct Api<S> {
    service: ServiceName,
    openapi: OpenApi,
    routes: Vec<RouteInfo>,
    guarded: Vec<Guarded<S>>,
}

/// A route that waits for the source of permissions, which only [`Api::build`] knows.
struct Guarded<S> {
    rule: RuleValue,
    limits: RouteLimits,
    paths: Vec<String>,
    methods: MethodRouter<S>,
}

/// The finished routes of a service.
pub struct ServiceApi {
    /// Whose they are.
    pub service: ServiceName,
    /// What answers them. Expects a [`plaza_kernel::Caller`] in the request's extensions if the caller is known.
    pub router: axum::Router,
    /// Its part of the OpenAPI document.
    pub openapi: OpenApi,
    /// Its part of the table of routes.
    pub routes: Vec<RouteInfo>,
}

impl<S: Clone + Send + Sync + 'static> Api<S> {
    /// No routes yet.
    pub fn new(service: ServiceName) -> Self {
        let mut openapi = OpenApi::default();
        openapi.components.get_or_insert_default().schemas = openapi::problem_schemas();
        Self {
            service,
            openapi,
            routes: Vec::new(),
            guarded: Vec::new(),
        }
    }

    /// A route under the rule `R`: `.route::<May<SendCampaign>>(routes!(http::send))`.
    #[must_use]
    pub fn route<R: Rule>(self, route: UtoipaMethodRouter<S>) -> Self {
        self.route_within::<R>(RouteLimits::default(), route)
    }

    /// A route with limits of its own.
    #[must_use]
    pub fn route_within<R: Rule>(mut self, limits: RouteLimits, route: UtoipaMethodRouter<S>) -> Self {
        let (schemas, mut paths, methods) = route;
        for (path, item) in &mut paths.paths {
            for (method, operation) in openapi::operations_mut(item) {
                openapi::document_access(operation, &R::text());
                self.routes.push(RouteInfo {
                    method: method.to_owned(),
                    path: path.clone(),
                    access: R::text(),
                    service: self.service,
                    operation: operation.operation_id.clone().unwrap_or_default(),
                });
            }
        }
        let names = paths.paths.keys().cloned().collect();
        self.guarded.push(Guarded {
            rule: RuleValue::of::<R>(),
            limits,
            paths: names,
            methods,
        });
        self.openapi.paths.merge(paths);
        self.openapi
            .components
            .get_or_insert_default()
            .schemas
            .extend(schemas);
        self
    }

    /// Finishes them.
    ///
    /// # Panics
    /// When two routes are one, or two operations have one `operationId`: a mistake in the program that shows at its
    /// first start.
    pub fn build(self, service: S, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
        let Self {
            service: name,
            openapi,
            routes,
            guarded,
        } = self;
        let repeated = openapi::repeated(routes.iter().map(|route| route.operation.as_str()));
        assert!(
            repeated.is_empty(),
            "operation ids of {name} that are not unique: {repeated:?}"
        );
        let public: HashSet<String> = guarded
            .iter()
            .filter(|route| !route.rule.internal)
            .flat_map(|route| route.paths.clone())
            .collect();
        let router = guarded.into_iter().fold(axum::Router::new(), |router, route| {
            route.mount(router, &permissions)
        });
        let public = Arc::new(public);
        let router = router.method_not_allowed_fallback(move |request| other_method(public, request));
        ServiceApi {
            service: name,
            router: router.with_state(service),
            openapi,
            routes,
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Guarded<S> {
    fn mount(self, router: axum::Router<S>, permissions: &Arc<dyn PermissionSource>) -> axum::Router<S> {
        let Self {
            rule,
            limits,
            paths,
            methods,
        } = self;
        paths.into_iter().fold(router, |router, path| {
            let template = RouteTemplate(path.as_str().into());
            let gate = GateLayer(Arc::new(Gate {
                rule,
                limits,
                permissions: Arc::clone(permissions),
                template,
            }));
            router.route(&path, methods.clone().route_layer(gate))
        })
    }
}

/// A path that is known, asked with another method. One that is internal only does not exist for the public.
async fn other_method(public: Arc<HashSet<String>>, request: Request) -> Response {
    let extensions = request.extensions();
    let known = extensions
        .get::<MatchedPath>()
        .is_some_and(|path| public.contains(path.as_str()));
    if known || extensions.get::<InternalListener>().is_some() {
        return ApiError::method_not_allowed().into_response();
    }
    let mut response = ApiError::nothing_here().into_response();
    // axum lists the methods of the path in `Allow` unless the header is there already.
    response
        .headers_mut()
        .insert(http::header::ALLOW, http::HeaderValue::from_static(""));
    response
}

#[cfg(debug_assertions)]
impl ServiceApi {
    /// The operations whose handler does not take the proof of its route's rule: for a test of each service.
    ///
    /// Sends one request to each route, with nobody calling. A handler that takes a proof refuses it before it
    /// runs; one that takes none is reported, and may have run. Routes for anyone and internal ones are left out.
    /// Exists in builds with debug assertions only.
    pub async fn unproved(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for route in self.routes.iter().filter(|route| route.access.authenticated) {
            let taken = self.probe(route).await;
            if taken.as_deref() != Some(route.access.text.as_str()) {
                let taken = taken.unwrap_or_else(|| "none".to_owned());
                let (operation, rule) = (&route.operation, &route.access.text);
                wrong.push(format!(
                    "{operation}: the route's rule is `{rule}`, the handler's proof is `{taken}`"
                ));
            }
        }
        wrong
    }

    async fn probe(&self, route: &RouteInfo) -> Option<String> {
        let probe = crate::granted::Probe::default();
        let path = route
            .path
            .split('/')
            .map(|part| if part.starts_with('{') { PLACEHOLDER } else { part });
        let request = http::Request::builder()
            .method(route.method.as_str())
            .uri(path.collect::<Vec<_>>().join("/"))
            .extension(probe.clone())
            .body(axum::body::Body::empty())
            .ok()?;
        let Ok(_) = tower::ServiceExt::oneshot(self.router.clone(), request).await;
        probe.proof()
    }
}

/// Stands for any id in the path of a probe.
#[cfg(debug_assertions)]
const PLACEHOLDER: &str = "018f0000-0000-7000-8000-000000000000";
