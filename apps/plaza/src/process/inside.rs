//! The internal side of a process: its health, and its services' APIs for those who prove who they are.

use std::sync::Arc;

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
use plaza_rpc::{Carried, INTERNAL_TOKEN, InternalClaims, Reflection, RpcListener, Verifier};
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

/// Lets through the front door. What it says about a person is what the handlers see, as they do where both are in one
/// process. Services ask each other by gRPC, where a table says what each may; no HTTP operation is for them.
async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let claims = match guard.claims(&request) {
        Ok(claims) => claims,
        Err(refusal) => {
            metrics::counter!("plaza_internal_refused_total", "service" => guard.service.as_str())
                .increment(1);
            return ([(INTERNAL_REFUSED, "token")], refusal).into_response();
        }
    };
    request.headers_mut().remove(INTERNAL_TOKEN);
    let extensions = request.extensions_mut();
    // Its requests come from the public: what is only for the inside does not exist for them.
    extensions.remove::<InternalListener>();
    if let Some(caller) = &claims.caller {
        extensions.insert(caller.clone());
    }
    if let Some((tenant_id, slug)) = claims.host.clone() {
        extensions.insert(HostTenant { tenant_id, slug });
    }
    // What this service asks others for, it asks for this person.
    let carried = Carried {
        request_id: extensions.get::<RequestId>().cloned(),
        deadline: None,
        caller: claims.caller.clone(),
    };
    plaza_rpc::carry(carried, next.run(request)).await
}

impl Guard {
    /// What the front door says. Two tokens are none.
    fn claims(&self, request: &Request) -> Result<Arc<InternalClaims>, ApiError> {
        let mut tokens = request.headers().get_all(INTERNAL_TOKEN).iter();
        let token = match (tokens.next(), tokens.next()) {
            (Some(token), None) => token.to_str().ok(),
            _ => None,
        };
        let claims = token.and_then(|token| self.verifier.verify(token).ok());
        let claims = claims.ok_or_else(|| {
            ApiError::new(
                Kind::Unauthenticated,
                "INTERNAL_TOKEN_INVALID",
                "this listener answers other parts of Plaza",
            )
        })?;
        if !claims.may_speak_for_people(GATEWAY) {
            tracing::error!(peer = %claims.iss, service = %self.service, "request of a service that may not");
            return Err(ApiError::new(
                Kind::Forbidden,
                "CALLER_NOT_ALLOWED",
                "operations are asked for through the gateway",
            ));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http::{HeaderValue, StatusCode};
    use plaza_contracts::services::{ACCESS, ALL, BROADCAST};
    use plaza_kernel::{Caller, SystemRole, TenantId};
    use plaza_rpc::InternalKeys;
    use tower::ServiceExt;

    use super::*;

    fn keys() -> InternalKeys {
        InternalKeys::derived(&"the key of an installation of tests".into())
    }

    fn owner(clock: &Clock) -> Caller {
        Caller {
            scope: Some(TenantId::generate(clock)),
            subject: clock.uuid().into(),
            session: clock.uuid().into(),
            role: SystemRole::Owner,
        }
    }

    /// Broadcast's API, which says whom it sees and whether it believes to be asked from inside.
    async fn ask(token: Option<HeaderValue>) -> (StatusCode, String) {
        let guard = Guard {
            service: BROADCAST,
            verifier: keys().verifier(BROADCAST, Clock::system()),
        };
        let told = async |request: Request| {
            let caller = request.extensions().get::<Caller>();
            let carried = plaza_rpc::carried().caller;
            assert_eq!(caller, carried.as_ref());
            let inside = request.extensions().get::<InternalListener>().is_some();
            let subject = caller.map(|caller| caller.subject.to_string());
            format!("{} {inside}", subject.unwrap_or_default())
        };
        let router = Router::new()
            .route("/", get(told))
            .layer(middleware::from_fn_with_state(guard, admit));
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        request.extensions_mut().insert(InternalListener);
        if let Some(token) = token {
            request.headers_mut().insert(INTERNAL_TOKEN, token);
        }
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn operations_are_for_the_front_door_alone() {
        let clock = Clock::system();
        let person = owner(&clock);
        let token = |issuer, audience, person: Option<&Caller>| {
            let signer = keys().signer(issuer, clock.clone()).unwrap();
            Some(signer.token(audience, person, None))
        };
        let seen = ask(token(GATEWAY, BROADCAST, Some(&person))).await;
        assert_eq!(seen, (StatusCode::OK, format!("{} false", person.subject)));
        let nobody = ask(token(GATEWAY, BROADCAST, None)).await;
        assert_eq!(nobody, (StatusCode::OK, " false".to_owned()));
        for service in ALL {
            for person in [None, Some(&person)] {
                let (status, _) = ask(token(service, BROADCAST, person)).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{service}");
            }
        }
        for bad in [None, token(GATEWAY, ACCESS, Some(&person))] {
            assert_eq!(ask(bad).await.0, StatusCode::UNAUTHORIZED);
        }
    }
}
