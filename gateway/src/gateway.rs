//! The path of a request through the gateway.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Uri, header};
use http_body_util::Limited;
use plaza_contracts::edge::HostTenant;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{GATEWAY, IDENTITY, TENANCY};
use plaza_kernel::{Caller, Clock};
use plaza_rpc::Directory;
use plaza_web::server::PeerAddress;
use plaza_web::{RouteInfo, RouteTemplate, event_stream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::authentication::{Authentication, Shown, shown};
use crate::client_address::Proxies;
use crate::cors::{Cors, is_preflight};
use crate::error::GatewayError;
use crate::hosts::{Hosts, Named};
use crate::refusal::Refusal;
use crate::remote::Remote;
use crate::table::{Admission, Found, Methods, Operation, Table, is_forwarded};
use crate::tenants::Tenants;
use crate::upstream::{Upstream, Upstreams};
use crate::{GatewaySettings, hygiene, routes_file, security_headers, target};

/// The front door.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    clock: Clock,
    hosts: Hosts,
    proxies: Proxies,
    table: Table,
    cors: Cors,
    https: bool,
    tenants: Tenants,
    authentication: Authentication,
    tasks: TaskTracker,
    remotes: Vec<Remote>,
    /// How long a service elsewhere may take to begin its answer.
    deadline: Duration,
    /// Event streams end.
    ending: CancellationToken,
}

impl Gateway {
    /// A gateway in front of these operations.
    ///
    /// # Errors
    /// When the settings, the file of routes and the operations do not go together.
    pub fn new(
        settings: GatewaySettings,
        upstreams: Upstreams,
        operations: Vec<RouteInfo>,
        directory: &Directory,
        clock: Clock,
    ) -> Result<Self, GatewayError> {
        settings.remote.check()?;
        let cors = Cors::new(&settings.cors_origins).map_err(|reason| GatewayError::Setting {
            setting: "cors_origins",
            reason,
        })?;
        let routes = routes_file::read(&yaml(&settings)?, &cors)?;
        let directory = directory.acting_as(GATEWAY);
        let (tasks, tenancy) = (
            TaskTracker::new(),
            TenancyClient::new(directory.transport(TENANCY)),
        );
        let identity = directory.transport(IDENTITY);
        Ok(Self(Arc::new(Inner {
            hosts: Hosts::new(&settings.base_domain, &settings.hosts)?,
            proxies: Proxies {
                trusted: settings.trusted_proxies.clone(),
                header: settings.proxy_header,
            },
            table: Table::new(routes, operations, &upstreams)?,
            cors,
            https: settings.https,
            tenants: Tenants::new(tenancy, clock.clone(), &settings),
            authentication: Authentication::new(identity, clock.clone(), tasks.clone(), &settings),
            clock,
            tasks,
            remotes: upstreams.remotes(),
            deadline: settings.remote.deadline(),
            ending: CancellationToken::new(),
        })))
    }

    /// Everything that the public listener serves of the services.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback_service(self.clone())
    }

    /// The confirmations that are under way in the background; each is over within a second.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    pub(crate) fn remotes(&self) -> &[Remote] {
        &self.0.remotes
    }

    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.0.ending
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0.table
    }
}

fn yaml(settings: &GatewaySettings) -> Result<String, GatewayError> {
    let Some(path) = &settings.routes_file else {
        return Ok(routes_file::BUILT_IN.to_owned());
    };
    std::fs::read_to_string(path).map_err(|source| GatewayError::Unreadable {
        path: path.clone(),
        source,
    })
}

impl Inner {
    async fn answer(self: &Arc<Self>, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let origin = parts.headers.get(ORIGIN).cloned();
        let mut cors = &self.cors;
        let mut response = match self.admit(&mut parts, &mut cors).await {
            Ok(admitted) => {
                let response = self.forward(admitted.operation, parts, body).await;
                event_stream::ends_with(response, || Arc::clone(self).end_of(admitted.token))
            }
            Err(refusal) => refusal.into_response(),
        };
        hygiene::clean_response(&mut response);
        security_headers::dress(&mut response, self.https);
        cors.dress(&mut response, origin.as_ref());
        response
    }

    /// Decides about a request, in this order, and leaves in its extensions what the service may rely on.
    async fn admit<'a>(&'a self, parts: &mut Parts, cors: &mut &'a Cors) -> Result<Admitted<'a>, Refusal> {
        // TRACE, CONNECT and inventions end here, whatever they are aimed at.
        if !is_forwarded(&parts.method) {
            return Err(Refusal::OtherMethod(Methods::all()));
        }
        // What two programs could read in two ways is refused before anybody reads it.
        let host = target::host_of(parts)?.to_owned();
        // What trusted proxies say is read before it is removed, with all that only we may write.
        let peer = parts.extensions.get::<PeerAddress>();
        let client = peer.map(|PeerAddress(peer)| self.proxies.client(peer.ip(), parts));
        hygiene::clean_request(parts);
        if let Some(client) = client {
            parts.extensions.insert(client);
        }
        let named = self.hosts.name(&host)?;
        let operation = self.operation(parts, cors)?;
        self.refuse_declared_length(operation, parts)?;
        let now = self.clock.now();
        let host_tenant = match &named {
            Named::Platform => None,
            Named::Tenant(slug) => Some(
                self.tenants
                    .by_slug(slug, now)
                    .await?
                    .ok_or(Refusal::UnknownHost)?,
            ),
        };
        let caller = self.caller(operation, parts, host_tenant.as_ref(), now).await?;
        let mut token = None;
        if let Some(caller) = caller {
            // The services never see the token: they cannot leak or replay it.
            token = parts.headers.remove(header::AUTHORIZATION);
            parts.extensions.insert(caller);
        }
        if let Some(tenant) = host_tenant {
            parts.extensions.insert(tenant);
        }
        Ok(Admitted { operation, token })
    }

    /// Waits until an event stream has to end: the gateway stops, or who listens with this token is not let in any more.
    async fn end_of(self: Arc<Self>, token: Option<HeaderValue>) {
        let shut_out = async {
            match shown(token.as_ref()) {
                Shown::Token(token) => {
                    self.authentication
                        .shut_out(token, &self.tenants, &self.clock)
                        .await
                }
                // Strangers were let in as such.
                Shown::Nothing | Shown::Other => std::future::pending().await,
            }
        };
        self.ending.run_until_cancelled(shut_out).await;
    }

    fn operation<'a>(&'a self, parts: &Parts, cors: &mut &'a Cors) -> Result<&'a Operation, Refusal> {
        match self.table.find(&parts.method, parts.uri.path()) {
            Found::Operation(operation) => {
                *cors = &self.table.routes[operation.route].cors;
                Ok(operation)
            }
            Found::OtherMethods(methods, route) => {
                *cors = &route.cors;
                // A preflight is answered here: services do not know of origins.
                match parts.headers.get(ORIGIN).filter(|_| is_preflight(parts)) {
                    Some(origin) if cors.allows(origin) => Err(Refusal::Preflight(methods)),
                    Some(_) => Err(Refusal::Origin),
                    None => Err(Refusal::OtherMethod(methods)),
                }
            }
            Found::Nothing => Err(Refusal::NothingHere),
        }
    }

    /// The caller, where the operation lets one through; None for strangers where strangers may pass.
    async fn caller(
        &self,
        operation: &Operation,
        parts: &Parts,
        host: Option<&HostTenant>,
        now: DateTime<Utc>,
    ) -> Result<Option<Caller>, Refusal> {
        let is_public = operation.admission == Admission::Anyone;
        let caller = match shown(parts.headers.get(header::AUTHORIZATION)) {
            Shown::Token(token) => self.authentication.caller(token, &self.tenants, now).await,
            Shown::Nothing => Err(Refusal::Unauthenticated),
            Shown::Other => Err(Refusal::InvalidToken),
        };
        let agreed = caller.and_then(|caller| agree(caller, host));
        match agreed {
            // A login with an old token at hand, a webhook with credentials of its own: strangers, not errors.
            Err(_) if is_public => Ok(None),
            Ok(caller) if !operation.admission.admits(&caller) => Err(Refusal::Forbidden),
            other => other.map(Some),
        }
    }

    fn refuse_declared_length(&self, operation: &Operation, parts: &Parts) -> Result<(), Refusal> {
        let Some(limit) = self.table.routes[operation.route].body_limit else {
            return Ok(());
        };
        let declared = parts
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let fits = |length: &str| length.parse::<u64>().is_ok_and(|length| length <= limit);
        if declared.is_none_or(fits) {
            Ok(())
        } else {
            Err(Refusal::TooLarge)
        }
    }

    /// Sends on the same bytes. Only an absolute target loses its host, which was checked to be the Host header's or, in
    /// HTTP/2, stands in for it.
    async fn forward(&self, operation: &Operation, mut parts: Parts, body: Body) -> Response {
        if let Some(authority) = parts.uri.authority()
            && let Some(same) = parts.uri.path_and_query()
        {
            if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
                parts.headers.entry(HOST).or_insert(host);
            }
            parts.uri = Uri::from(same.clone());
        }
        let route = &self.table.routes[operation.route];
        let body = hygiene::without_trailers(body);
        let body = match route.body_limit.and_then(|limit| usize::try_from(limit).ok()) {
            Some(limit) => Body::new(Limited::new(body, limit)),
            None => body,
        };
        let limit = route.timeout.unwrap_or(self.deadline);
        let request = Request::from_parts(parts, body);
        let mut response = operation.upstream.call(request, limit).await;
        if matches!(operation.upstream, Upstream::Remote(_)) {
            // In this process the service's own gate says so.
            tracing::Span::current().record("route", &*operation.template);
            let template = RouteTemplate(Arc::clone(&operation.template));
            response.extensions_mut().insert(template);
        }
        response
    }
}

/// A request that may go on.
struct Admitted<'a> {
    operation: &'a Operation,
    /// What its caller was known by.
    token: Option<HeaderValue>,
}

/// Where the host names a tenant, the token has to be of the same one.
fn agree(caller: Caller, host: Option<&HostTenant>) -> Result<Caller, Refusal> {
    match host {
        Some(host) if caller.scope != Some(host.tenant_id) => Err(Refusal::TenantMismatch),
        _ => Ok(caller),
    }
}

impl Service<Request> for Gateway {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let gateway = Arc::clone(&self.0);
        Box::pin(async move { Ok(gateway.answer(request).await) })
    }
}
