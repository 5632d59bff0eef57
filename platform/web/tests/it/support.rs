//! What the tests share: callers, sources of permissions, and ways to ask.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use plaza_kernel::{
    Caller, Clock, Kind, Permission, PermissionSet, ServiceName, SessionId, SystemRole, TenantId, UserId,
};
use plaza_web::{ApiError, PermissionSource, Problem};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const SERVICE: ServiceName = ServiceName::new("shop");

/// See orders: a permission of this test's own catalogue.
pub(crate) struct ViewOrders;

impl Permission for ViewOrders {
    const MENU: &'static str = "orders";
    const ACTION: &'static str = "view";
    const BIT: u16 = 77;
}

/// Gives everybody the same permissions, or none at all when they are not known now.
pub(crate) struct Source(pub(crate) Option<PermissionSet>);

impl PermissionSource for Source {
    fn permissions<'a>(
        &'a self,
        _: &'a Caller,
        _: TenantId,
    ) -> BoxFuture<'a, Result<PermissionSet, ApiError>> {
        let answer = self
            .0
            .ok_or_else(|| ApiError::new(Kind::NotFound, "SECRET_DETAIL", "who?"));
        async move { answer }.boxed()
    }
}

pub(crate) fn nothing_granted() -> Arc<dyn PermissionSource> {
    Arc::new(Source(Some(PermissionSet::none())))
}

pub(crate) fn caller(role: SystemRole, in_tenant: bool) -> Caller {
    let clock = Clock::system();
    Caller {
        scope: in_tenant.then(|| TenantId::generate(&clock)),
        subject: UserId::generate(&clock),
        session: SessionId::generate(&clock),
        role,
    }
}

/// An answer, read to its end.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.error, problem.detail);
        problem
    }

    #[track_caller]
    pub(crate) fn assert_failed(&self, status: u16, code: &str) -> Problem {
        let problem = self.problem();
        assert_eq!((self.status.as_u16(), problem.code.as_str()), (status, code));
        problem
    }
}

pub(crate) async fn ask(router: &Router, request: Request) -> Reply {
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub(crate) fn get(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, media: &str, body: impl Into<Body>) -> Request {
    Request::post(path)
        .header(header::CONTENT_TYPE, media)
        .body(body.into())
        .unwrap()
}
