//! The internal side of a process: its health, and its services' APIs for those who prove who they are.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use plaza_contracts::edge::HostTenant;
use plaza_contracts::services::GATEWAY;
use plaza_gateway::INTERNAL_REFUSED;
use plaza_kernel::{Clock, Kind, RequestId, ServiceName};
use plaza_rpc::{Carried, INTERNAL_TOKEN, Reflection, RpcListener, Verifier};
use plaza_web::health::Health;
use plaza_web::{ApiError, InternalListener};
use tower::Service;

use crate::assembly::Assembly;
use crate::config::Config;

/// What this process cannot serve without, and what it can.
pub(super) fn health(assembly: &Assembly) -> Health {
    let health = Health::new();
    // All services share a server unless configured otherwise; each answers for its own.
    for database in assembly.databases() {
        let database = database.clone();
        health.check(database.service().as_str(), move || {
            let database = database.clone();
            async move { database.ping().await }
        });
    }
    // A service that is away is a reason to refuse the requests that need it, not all of them: another gateway would not
    // reach it either.
    for remote in &assembly.remotes {
        let remote = remote.clone();
        health.note(remote.service().as_str(), move || {
            let answers = remote.any_healthy();
            async move { answers.then_some(()).ok_or("no address of it answers") }
        });
    }
    let remotes = assembly.remotes.clone();
    if assembly.hosting.gateway && assembly.hosting.assembles.is_empty() {
        health.check("services", move || {
            let any = remotes.iter().any(plaza_rpc::Addresses::any_healthy);
            async move { any.then_some(()).ok_or("no service answers") }
        });
    }
    if let Some(broker) = assembly.broker.clone() {
        // Events wait in the outbox meanwhile.
        health.note("rabbitmq", move || {
            let connected = broker.is_connected();
            async move { connected.then_some(()).ok_or("not connected") }
        });
    }
    health
}

/// The services' APIs on the internal listener.
pub(super) struct Served {
    /// HTTP and gRPC together.
    pub(super) router: Router,
    /// Says of each service whether it takes calls.
    pub(super) grpc: RpcListener,
}

/// The HTTP and gRPC APIs of the services that are served here; None where there are none, or nobody could prove
/// anything.
///
/// # Errors
/// When the APIs cannot be put together.
pub(super) fn services(
    assembly: &Assembly,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<Option<Served>> {
    let served = &assembly.hosting.serves;
    let Some(keys) = assembly.internal_keys.as_ref().filter(|_| !served.is_empty()) else {
        return Ok(None);
    };
    let reflection = Reflection {
        descriptors: plaza_contracts::proto::DESCRIPTORS,
        without_token: config.internal.open_reflection,
    };
    let grpc = assembly.directory.service_for_listener(served, reflection)?;
    let apis = served.iter().filter_map(|service| assembly.api(*service));
    let http = apis.fold(Router::new(), |router, api| {
        let guard = Guard {
            service: api.service,
            verifier: keys.verifier(api.service, clock.clone()),
        };
        router.merge(
            api.router
                .clone()
                .layer(middleware::from_fn_with_state(guard, admit)),
        )
    });
    let calls = grpc.clone();
    let router = http.fallback(move |request| call(calls.clone(), request));
    Ok(Some(Served { router, grpc }))
}

/// Everything that is no HTTP operation: gRPC, or nothing.
async fn call(mut grpc: RpcListener, request: Request) -> Response {
    let kind = request.headers().get(CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return ApiError::nothing_here().into_response();
    }
    let Ok(response) = grpc.call(request.map(tonic::body::Body::new)).await;
    response.map(Body::new)
}

/// Stands before the HTTP API of one service.
#[derive(Clone)]
struct Guard {
    service: ServiceName,
    verifier: Verifier,
}

/// Lets through who proves to be another part of Plaza. What the front door says about a person is what the handlers
/// see, as they do where both are in one process.
async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let mut tokens = request.headers().get_all(INTERNAL_TOKEN).iter();
    let token = match (tokens.next(), tokens.next()) {
        (Some(token), None) => token.to_str().ok().map(str::to_owned),
        _ => None,
    };
    let claims = token.and_then(|token| guard.verifier.verify(&token).ok());
    let Some(claims) = claims else {
        metrics::counter!("plaza_internal_refused_total", "service" => guard.service.as_str()).increment(1);
        let refusal = ApiError::new(
            Kind::Unauthenticated,
            "INTERNAL_TOKEN_INVALID",
            "this listener answers other parts of Plaza",
        );
        return ([(INTERNAL_REFUSED, "token")], refusal).into_response();
    };
    request.headers_mut().remove(INTERNAL_TOKEN);
    let extensions = request.extensions_mut();
    let mut carried = Carried {
        request_id: extensions.get::<RequestId>().cloned(),
        deadline: None,
        caller: None,
    };
    if claims.may_speak_for_people(GATEWAY) {
        // Its requests come from the public: what is only for the inside does not exist for them.
        extensions.remove::<InternalListener>();
        if let Some(caller) = &claims.caller {
            extensions.insert(caller.clone());
            carried.caller = Some(caller.clone());
        }
        if let Some((tenant_id, slug)) = claims.host.clone() {
            extensions.insert(HostTenant { tenant_id, slug });
        }
    }
    // What this service asks others for, it asks for this person.
    plaza_rpc::carry(carried, next.run(request)).await
}
