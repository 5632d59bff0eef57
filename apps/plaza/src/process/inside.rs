//! The internal side of a process: its health, and its services' APIs for those who prove who they are.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use plaza_contracts::callers;
use plaza_contracts::edge::{CLIENT_ADDRESS, ClientAddress, HostTenant};
use plaza_contracts::services::GATEWAY;
use plaza_gateway::INTERNAL_REFUSED;
use plaza_kernel::{Clock, Kind, RequestId, ServiceName};
use plaza_rpc::{Carried, INTERNAL_TOKEN, InternalClaims, Peer, Reflection, RpcListener, Verifier};
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

/// Lets through the front door, and other services to the operations that a table names for each. What the front door says
/// about a person is what the handlers see, as they do where both are in one process.
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
    let client = request.headers_mut().remove(CLIENT_ADDRESS);
    if claims.may_speak_for_people(GATEWAY) {
        for_people(&claims, client, request, next).await
    } else {
        by_itself(&claims, request, next).await
    }
}

/// A request from the public: what is only for the inside does not exist for it.
async fn for_people(
    claims: &InternalClaims,
    client: Option<HeaderValue>,
    mut request: Request,
    next: Next,
) -> Response {
    let extensions = request.extensions_mut();
    extensions.remove::<InternalListener>();
    if let Some(caller) = &claims.caller {
        extensions.insert(caller.clone());
    }
    if let Some((tenant_id, slug)) = claims.host.clone() {
        extensions.insert(HostTenant { tenant_id, slug });
    }
    let client = client.and_then(|client| client.to_str().ok()?.parse().ok());
    if let Some(client) = client {
        extensions.insert(ClientAddress(client));
    }
    // What this service asks others for, it asks for this person.
    let carried = Carried {
        request_id: extensions.get::<RequestId>().cloned(),
        deadline: None,
        caller: claims.caller.clone(),
    };
    plaza_rpc::carry(carried, next.run(request)).await
}

/// A request that a service makes by itself: nobody's, and with the service's rights.
async fn by_itself(claims: &InternalClaims, mut request: Request, next: Next) -> Response {
    let extensions = request.extensions_mut();
    extensions.insert(Peer {
        service: claims.iss,
        caller: None,
    });
    let carried = Carried {
        request_id: extensions.get::<RequestId>().cloned(),
        ..Carried::default()
    };
    plaza_rpc::carry_as_service(carried, next.run(request)).await
}

impl Guard {
    /// What the front door says, or a service that may ask for this very operation. Two tokens are none.
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
        if !claims.may_speak_for_people(GATEWAY) && !may_ask(&claims, request) {
            tracing::error!(peer = %claims.iss, service = %self.service, "request of a service that may not");
            return Err(ApiError::new(
                Kind::Forbidden,
                "CALLER_NOT_ALLOWED",
                "this operation is not for this service",
            ));
        }
        Ok(claims)
    }
}

/// Whether a service may ask for this operation by itself: only the front door passes people on over HTTP.
fn may_ask(claims: &InternalClaims, request: &Request) -> bool {
    let template = request.extensions().get::<MatchedPath>();
    let operation = template.map(|template| format!("{} {}", request.method(), template.as_str()));
    let is_theirs = operation.is_some_and(|operation| callers::may_ask(&operation, claims.iss));
    is_theirs && claims.caller.is_none() && claims.host.is_none()
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http::{Method, StatusCode};
    use plaza_contracts::services::{ACCESS, ALL, BROADCAST, TENANCY};
    use plaza_kernel::{Caller, SystemRole, TenantId};
    use plaza_rpc::InternalKeys;
    use tower::ServiceExt;

    use super::*;

    const INTERNAL_USERS: &str = "/api/v1/auth/internal/users";

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

    /// Says whom it sees, whether it believes to be asked from inside and by whom, and where the client is.
    async fn told(request: Request) -> String {
        let extensions = request.extensions();
        let caller = extensions.get::<Caller>();
        assert_eq!(caller, plaza_rpc::carried().caller.as_ref());
        let inside = extensions.get::<InternalListener>().is_some();
        let peer = extensions.get::<Peer>().map(|peer| peer.service.to_string());
        let client = extensions
            .get::<ClientAddress>()
            .map(|client| client.0.to_string());
        assert!(!request.headers().contains_key(CLIENT_ADDRESS));
        let subject = caller.map(|caller| caller.subject.to_string());
        let said = [subject, Some(inside.to_string()), peer, client];
        said.map(Option::unwrap_or_default).join(" ")
    }

    /// Broadcast's API, and what it says.
    async fn ask(method: Method, path: &str, token: Option<HeaderValue>) -> (StatusCode, String) {
        let guard = Guard {
            service: BROADCAST,
            verifier: keys().verifier(BROADCAST, Clock::system()),
        };
        let router = Router::new()
            .route("/", get(told))
            .route(INTERNAL_USERS, get(told).post(told))
            .layer(middleware::from_fn_with_state(guard, admit));
        let request = Request::builder().method(method).uri(path);
        let request = request.header(CLIENT_ADDRESS, "192.0.2.7");
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(InternalListener);
        if let Some(token) = token {
            request.headers_mut().insert(INTERNAL_TOKEN, token);
        }
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn token(issuer: ServiceName, audience: ServiceName, person: Option<&Caller>) -> Option<HeaderValue> {
        let signer = keys().signer(issuer, Clock::system()).unwrap();
        Some(signer.token(audience, person, None))
    }

    #[tokio::test]
    async fn operations_are_for_the_front_door_alone() {
        let person = owner(&Clock::system());
        let asked = async |token| ask(Method::GET, "/", token).await;
        let seen = asked(token(GATEWAY, BROADCAST, Some(&person))).await;
        assert_eq!(
            seen,
            (StatusCode::OK, format!("{} false  192.0.2.7", person.subject))
        );
        let nobody = asked(token(GATEWAY, BROADCAST, None)).await;
        assert_eq!(nobody, (StatusCode::OK, " false  192.0.2.7".to_owned()));
        for service in ALL {
            for person in [None, Some(&person)] {
                let (status, _) = asked(token(service, BROADCAST, person)).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{service}");
            }
        }
        for bad in [None, token(GATEWAY, ACCESS, Some(&person))] {
            assert_eq!(asked(bad).await.0, StatusCode::UNAUTHORIZED);
        }
    }

    #[tokio::test]
    async fn a_service_may_ask_by_itself_for_what_the_table_names_for_it() {
        let person = owner(&Clock::system());
        let asked = async |method, token| ask(method, INTERNAL_USERS, token).await;
        let seen = asked(Method::POST, token(TENANCY, BROADCAST, None)).await;
        // Where a client is, it has no word in.
        assert_eq!(seen, (StatusCode::OK, " true tenancy ".to_owned()));
        for service in ALL {
            let expected = match service {
                TENANCY => StatusCode::OK,
                _ => StatusCode::FORBIDDEN,
            };
            let (status, _) = asked(Method::POST, token(service, BROADCAST, None)).await;
            assert_eq!(status, expected, "{service}");
        }
        for (method, token) in [
            (Method::GET, token(TENANCY, BROADCAST, None)),
            (Method::POST, token(TENANCY, BROADCAST, Some(&person))),
        ] {
            assert_eq!(asked(method, token).await.0, StatusCode::FORBIDDEN);
        }
        assert_eq!(
            asked(Method::POST, token(TENANCY, ACCESS, None)).await.0,
            StatusCode::UNAUTHORIZED
        );
    }

    #[tokio::test]
    async fn the_front_door_never_comes_from_inside() {
        let (status, seen) = ask(Method::POST, INTERNAL_USERS, token(GATEWAY, BROADCAST, None)).await;
        assert_eq!((status, seen.as_str()), (StatusCode::OK, " false  192.0.2.7"));
    }
}
