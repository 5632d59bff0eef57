//! Refusals on their way out of a service: whoever may not do what they ask for is told of in the service's audit. Here, because
//! the gate that decides knows no audit, and one place sees what rules and verbs refuse alike.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::StatusCode;
use plaza_audit::Denials;
use plaza_kernel::Caller;
use plaza_web::{RouteTemplate, ServiceApi, code_of};

/// The same API; what it refuses to known callers is told.
pub(super) fn told(api: ServiceApi, denials: Denials) -> ServiceApi {
    ServiceApi {
        router: api.router.layer(from_fn_with_state(denials, tell)),
        ..api
    }
}

async fn tell(State(denials): State<Denials>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let template = response.extensions().get::<RouteTemplate>();
    if response.status() == StatusCode::FORBIDDEN
        && let (Some(caller), Some(RouteTemplate(path))) = (caller, template)
    {
        let code = code_of(&response).unwrap_or("FORBIDDEN");
        denials.tell(&caller, &format!("{method} {path}"), code).await;
    }
    response
}
