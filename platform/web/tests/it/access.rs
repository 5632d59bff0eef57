//! Every rule against every kind of caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::{StreamExt, stream};
use http::{HeaderName, header};
use http_body_util::BodyExt;
use plaza_kernel::{Caller, PermissionSet, SystemRole, TenantId};
use plaza_web::{
    Anyone, Api, ApiError, Authenticated, Granted, Internal, InternalListener, May, MayOrPlatformAdmin,
    Owner, OwnerOrPlatformAdmin, PermissionSource, PlatformAdmin, ServiceApi,
};
use tower::ServiceExt;
use utoipa_axum::routes;

use crate::support::{Reply, SERVICE, Source, ViewOrders, ask, caller, get, nothing_granted};

macro_rules! handlers {
    ($($name:ident: $rule:ty = $path:literal;)*) => {
        $(
            #[utoipa::path(get, path = $path, responses((status = 200)))]
            async fn $name(granted: Granted<$rule>) -> String {
                format!("{:?}", granted.known_caller().map(|caller| caller.role))
            }
        )*
    };
}

handlers! {
    anyone: Anyone = "/anyone";
    authenticated: Authenticated = "/authenticated";
    owner: Owner = "/owner";
    platform_admin: PlatformAdmin = "/platform_admin";
    owner_or_platform_admin: OwnerOrPlatformAdmin = "/owner_or_platform_admin";
    may: May<ViewOrders> = "/may";
    may_or_platform_admin: MayOrPlatformAdmin<ViewOrders> = "/may_or_platform_admin";
    internal: Internal = "/internal";
}

fn shop(permissions: Arc<dyn PermissionSource>) -> ServiceApi {
    Api::<()>::new(SERVICE)
        .route::<Anyone>(routes!(anyone))
        .route::<Authenticated>(routes!(authenticated))
        .route::<Owner>(routes!(owner))
        .route::<PlatformAdmin>(routes!(platform_admin))
        .route::<OwnerOrPlatformAdmin>(routes!(owner_or_platform_admin))
        .route::<May<ViewOrders>>(routes!(may))
        .route::<MayOrPlatformAdmin<ViewOrders>>(routes!(may_or_platform_admin))
        .route::<Internal>(routes!(internal))
        .build((), permissions)
}

const ROUTES: [&str; 8] = [
    "/anyone",
    "/authenticated",
    "/owner",
    "/platform_admin",
    "/owner_or_platform_admin",
    "/may",
    "/may_or_platform_admin",
    "/internal",
];

fn as_caller(path: &str, caller: Option<Caller>) -> Request {
    let mut request = get(path);
    caller.map(|caller| request.extensions_mut().insert(caller));
    request
}

async fn row(api: &ServiceApi, caller: Option<Caller>) -> Vec<u16> {
    let mut row = Vec::new();
    for path in ROUTES {
        row.push(
            ask(&api.router, as_caller(path, caller.clone()))
                .await
                .status
                .as_u16(),
        );
    }
    row
}

#[tokio::test]
async fn who_may_use_which_rule() {
    let none = shop(nothing_granted());
    let all = shop(Arc::new(Source(Some(PermissionSet::none().with(77)))));
    let others = shop(Arc::new(Source(Some(PermissionSet::none().with(76).with(78)))));
    let member = caller(SystemRole::Member, true);
    let service = caller(SystemRole::Service, true);
    let platform = caller(SystemRole::PlatformAdmin, false);
    //                                            anyone auth owner plat o|p  may  m|p  internal
    assert_eq!(row(&all, None).await, [200, 401, 401, 401, 401, 401, 401, 404]);
    assert_eq!(
        row(&none, Some(member.clone())).await,
        [200, 200, 403, 403, 403, 403, 403, 404]
    );
    assert_eq!(
        row(&others, Some(member.clone())).await,
        [200, 200, 403, 403, 403, 403, 403, 404]
    );
    assert_eq!(
        row(&all, Some(member)).await,
        [200, 200, 403, 403, 403, 200, 200, 404]
    );
    assert_eq!(
        row(&none, Some(caller(SystemRole::Owner, true))).await,
        [200, 200, 200, 403, 200, 200, 200, 404]
    );
    assert_eq!(
        row(&all, Some(platform)).await,
        [200, 200, 403, 200, 200, 403, 200, 404]
    );
    assert_eq!(
        row(&none, Some(service.clone())).await,
        [200, 200, 403, 403, 403, 403, 403, 404]
    );
    assert_eq!(
        row(&all, Some(service)).await,
        [200, 200, 403, 403, 403, 200, 200, 404]
    );
}

#[tokio::test]
async fn a_role_in_the_wrong_scope_opens_nothing() {
    let all = shop(Arc::new(Source(Some(PermissionSet::none().with(77)))));
    let closed = [200, 200, 403, 403, 403, 403, 403, 404];
    assert_eq!(row(&all, Some(caller(SystemRole::Owner, false))).await, closed);
    assert_eq!(row(&all, Some(caller(SystemRole::Member, false))).await, closed);
    assert_eq!(
        row(&all, Some(caller(SystemRole::PlatformAdmin, true))).await,
        closed
    );
}

#[tokio::test]
async fn an_internal_route_exists_on_the_internal_listener_only() {
    let api = shop(nothing_granted());
    let hidden = ask(&api.router, get("/internal")).await;
    let mut inside = get("/internal");
    inside.extensions_mut().insert(InternalListener);
    assert_eq!(ask(&api.router, inside).await.status, 200);
    hidden.assert_failed(404, "NOT_FOUND");

    let mut forwarded = as_caller("/internal", Some(caller(SystemRole::Owner, true)));
    forwarded.extensions_mut().insert(InternalListener);
    ask(&api.router, forwarded).await.assert_failed(404, "NOT_FOUND");
}

#[tokio::test]
async fn another_method_does_not_betray_an_internal_route() {
    let router = plaza_web::outermost(shop(nothing_granted()).router, plaza_kernel::Clock::system());
    let router = axum::Router::new().fallback_service(router);
    let hidden = ask(
        &router,
        Request::post("/internal")
            .body(axum::body::Body::empty())
            .unwrap(),
    )
    .await;
    let random = ask(
        &router,
        Request::post("/nothing").body(axum::body::Body::empty()).unwrap(),
    )
    .await;
    hidden.assert_failed(404, "NOT_FOUND");
    let names = |reply: &Reply| {
        reply
            .headers
            .keys()
            .map(ToString::to_string)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(&hidden), names(&random));
}

#[tokio::test]
async fn unknown_permissions_close_the_door_and_say_when_to_come_back() {
    let api = shop(Arc::new(Source(None)));
    let reply = ask(
        &api.router,
        as_caller("/may", Some(caller(SystemRole::Member, true))),
    )
    .await;
    reply.assert_failed(503, "ACCESS_UNAVAILABLE");
    assert_eq!(reply.headers["retry-after"], "1");
    assert!(!String::from_utf8_lossy(&reply.body).contains("SECRET_DETAIL"));
    // The owner's right depends on no look-up.
    assert_eq!(
        ask(
            &api.router,
            as_caller("/may", Some(caller(SystemRole::Owner, true)))
        )
        .await
        .status,
        200
    );
}

#[tokio::test]
async fn nobody_known_is_told_how_to_log_in() {
    let reply = ask(&shop(nothing_granted()).router, get("/owner")).await;
    reply.assert_failed(401, "UNAUTHENTICATED");
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_handler_with_another_proof_than_its_route_is_a_defect_and_is_found() {
    let api = Api::<()>::new(SERVICE)
        .route::<Authenticated>(routes!(platform_admin))
        .route::<May<ViewOrders>>(routes!(may))
        .route::<Owner>(routes!(open))
        .build((), nothing_granted());
    let everybody = as_caller("/platform_admin", Some(caller(SystemRole::PlatformAdmin, false)));
    let reply = ask(&api.router, everybody).await;
    reply.assert_failed(500, "INTERNAL");
    assert!(!String::from_utf8_lossy(&reply.body).contains("proof"));
    #[cfg(debug_assertions)]
    assert_eq!(
        api.unproved().await,
        [
            "platform_admin: the route's rule is `authenticated`, the handler's proof is `platform_admin`",
            "open: the route's rule is `owner`, the handler's proof is `none`",
        ]
    );
    #[cfg(debug_assertions)]
    assert!(shop(nothing_granted()).unproved().await.is_empty());
}

#[utoipa::path(get, path = "/open/{id}", responses((status = 200)))]
async fn open() -> &'static str {
    "took no proof"
}

#[tokio::test]
async fn the_table_of_routes_names_the_rules() {
    let rules: Vec<String> = shop(nothing_granted())
        .routes
        .iter()
        .map(|route| format!("{} {}", route.method, route.access.text))
        .collect();
    assert_eq!(
        rules,
        [
            "GET anyone",
            "GET authenticated",
            "GET owner",
            "GET platform_admin",
            "GET owner_or_platform_admin",
            "GET orders.view",
            "GET orders.view_or_platform_admin",
            "GET internal"
        ]
    );
}

/// Grants until it does not.
struct Withdrawn(AtomicBool);

impl PermissionSource for Withdrawn {
    fn permissions<'a>(
        &'a self,
        _: &'a Caller,
        _: TenantId,
    ) -> BoxFuture<'a, Result<PermissionSet, ApiError>> {
        let set = PermissionSet::none();
        let set = if self.0.load(Ordering::SeqCst) {
            set
        } else {
            set.with(77)
        };
        async move { Ok(set) }.boxed()
    }
}

/// One event, and then nothing for ever.
#[utoipa::path(get, path = "/listen", responses((status = 200)))]
async fn listen(_: Granted<May<ViewOrders>>) -> ([(HeaderName, &'static str); 1], Body) {
    let events = stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]).chain(stream::pending());
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
}

#[tokio::test]
async fn who_may_no_longer_listens_no_longer() {
    const MOMENT: Duration = Duration::from_millis(2_500);
    let source = Arc::new(Withdrawn(AtomicBool::new(false)));
    let api = Api::<()>::new(SERVICE)
        .route::<May<ViewOrders>>(routes!(listen))
        .build((), Arc::clone(&source) as _);
    let request = as_caller("/listen", Some(caller(SystemRole::Member, true)));
    let Ok(answer) = api.router.clone().oneshot(request).await;
    let mut body = answer.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    let waited = tokio::time::timeout(MOMENT, body.frame()).await;
    assert!(waited.is_err(), "who may hears on");
    source.0.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(Duration::from_secs(30), body.frame()).await;
    assert!(ended.unwrap().is_none());
}
