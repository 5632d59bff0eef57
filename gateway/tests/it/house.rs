//! A gateway with everything around it.

use axum::body::Body;
use chrono::{DateTime, TimeDelta};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use plaza_contracts::services::{IDENTITY, NOTIFICATION, TENANCY};
use plaza_gateway::{Gateway, GatewayError, GatewaySettings, Upstream, Upstreams};
use plaza_kernel::{Clock, ManualClock, ServiceName, SessionId, TenantId, UserId};
use plaza_rpc::{Directory, RpcSettings};
use plaza_testkit::forge::Forge;
use plaza_web::{RouteInfo, RuleText, outermost};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::echo::{self, Echo};
use crate::stub_identity::StubIdentity;
use crate::stub_tenancy::StubTenancy;

pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) identity: StubIdentity,
    pub(crate) tenancy: StubTenancy,
    pub(crate) forge: Forge,
    pub(crate) acme: TenantId,
    pub(crate) clock: Clock,
    hand: ManualClock,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What reached the upstream; panics when nothing did.
    pub(crate) fn echo(&self) -> Echo {
        assert_eq!(
            self.status,
            StatusCode::OK,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status and the code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        (
            self.status.as_u16(),
            body["code"].as_str().unwrap_or_default().to_owned(),
        )
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

fn operation(method: &str, path: &str, rule: &str, service: ServiceName) -> RouteInfo {
    let access = RuleText {
        text: rule.to_owned(),
        authenticated: !["anyone", "internal"].contains(&rule),
    };
    RouteInfo {
        method: method.to_owned(),
        path: path.to_owned(),
        access,
        service,
        operation: format!("{method} {path}"),
    }
}

pub(crate) fn operations() -> Vec<RouteInfo> {
    vec![
        operation("POST", "/api/v1/auth/login", "anyone", IDENTITY),
        operation("GET", "/api/v1/auth/me", "authenticated", IDENTITY),
        operation("PUT", "/api/v1/auth/me", "authenticated", IDENTITY),
        operation("GET", "/api/v1/auth/public/{id}", "anyone", IDENTITY),
        operation("GET", "/api/v1/auth/public/{id}/{other}", "anyone", IDENTITY),
        operation("GET", "/api/v1/auth/internal/users", "anyone", IDENTITY),
        operation("POST", "/api/v1/auth/introspect", "internal", IDENTITY),
        operation("POST", "/api/v1/admin/tenants", "platform_admin", TENANCY),
        operation("GET", "/api/v1/admin/tenants", "platform_admin", TENANCY),
        operation("GET", "/api/v1/admin/roles", "roles.view", TENANCY),
        operation("GET", "/api/v1/admin/open", "anyone", TENANCY),
        operation(
            "GET",
            "/api/v1/notifications/messages/{id}",
            "logs.view",
            NOTIFICATION,
        ),
        operation(
            "GET",
            "/api/v1/notifications/messages/latest",
            "logs.view",
            NOTIFICATION,
        ),
        operation("POST", "/webhooks/meta", "anyone", NOTIFICATION),
        operation("GET", "/.well-known/jwks.json", "anyone", IDENTITY),
        operation("GET", "/setup", "anyone", IDENTITY),
        operation("GET", "/nowhere/at/all", "anyone", IDENTITY),
    ]
}

pub(crate) fn upstreams(upstream: &axum::Router) -> Upstreams {
    let services = [IDENTITY, TENANCY, NOTIFICATION];
    services.into_iter().fold(Upstreams::new(), |upstreams, service| {
        upstreams.with(service, Upstream::Local(upstream.clone()))
    })
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(GatewaySettings::default(), echo::router()).unwrap()
    }

    pub(crate) fn with(settings: GatewaySettings, upstream: axum::Router) -> Result<Self, GatewayError> {
        Self::before(settings, |_| upstreams(&upstream))
    }

    /// A gateway before these services, who share its clock.
    pub(crate) fn before(
        settings: GatewaySettings,
        upstreams: impl FnOnce(&Clock) -> Upstreams,
    ) -> Result<Self, GatewayError> {
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let acme = TenantId::generate(&clock);
        let (identity, tenancy, forge) = (
            StubIdentity::default(),
            StubTenancy::new(acme),
            Forge::new("key-1"),
        );
        identity.show(Forge::jwks(&[&forge]));
        let directory = Directory::new(RpcSettings::default()).acting_as(plaza_contracts::services::GATEWAY);
        directory.host(IDENTITY, identity.routes());
        directory.host(TENANCY, tenancy.routes());
        let gateway = Gateway::new(
            settings,
            upstreams(&clock),
            operations(),
            &directory,
            clock.clone(),
        )?;
        Ok(Self {
            gateway,
            identity,
            tenancy,
            forge,
            acme,
            clock,
            hand,
        })
    }

    pub(crate) fn wait(&self, milliseconds: i64) {
        self.hand.advance(TimeDelta::milliseconds(milliseconds));
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// Claims of a new owner of a tenant.
    pub(crate) fn claims(&self, tenant: TenantId) -> Value {
        let (user, session) = (UserId::generate(&self.clock), SessionId::generate(&self.clock));
        json!({
            "iss": "plaza", "aud": "plaza", "sub": user, "tid": tenant, "sid": session, "role": "owner", "jti": "token-1",
            "iat": self.now(), "exp": self.now() + 600,
        })
    }

    /// A token of a new owner of acme.
    pub(crate) fn owner(&self) -> String {
        self.forge.sign(&self.forge.header(), &self.claims(self.acme))
    }

    /// A token of a new administrator of the platform.
    pub(crate) fn administrator(&self) -> String {
        let mut claims = self.claims(self.acme);
        claims.as_object_mut().unwrap().remove("tid");
        claims["role"] = "platform_admin".into();
        self.forge.sign(&self.forge.header(), &claims)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let service = outermost(self.gateway.router(), self.clock.clone());
        let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A request without a token.
    pub(crate) async fn call(&self, method: Method, host: &str, target: &str) -> Answer {
        self.send(request(method, host, target).body(Body::empty()).unwrap())
            .await
    }

    /// A request with a token.
    pub(crate) async fn call_as(&self, token: &str, method: Method, host: &str, target: &str) -> Answer {
        let request = request(method, host, target).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Who the token's bearer is to the service behind `/me`.
    pub(crate) async fn me(&self, token: &str) -> Answer {
        self.call_as(token, Method::GET, "localhost:8080", "/api/v1/auth/me")
            .await
    }
}

pub(crate) fn request(method: Method, host: &str, target: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, host)
}
