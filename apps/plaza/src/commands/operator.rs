//! Acting on a Plaza as the operator of its machine: the services are composed in this process, on the same database,
//! and their HTTP APIs are called as a caller of the operator's choosing. No other code path than a request's.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use plaza_kernel::{Caller, Clock, SessionId, SystemRole, TenantId, UserId};
use serde_json::Value;
use tower::ServiceExt;

use crate::assembly::Assembly;

/// The operator at the services' APIs.
pub(super) struct Operator<'a> {
    assembly: &'a Assembly,
    clock: Clock,
}

impl<'a> Operator<'a> {
    pub(super) fn new(assembly: &'a Assembly) -> Self {
        Self {
            assembly,
            clock: Clock::system(),
        }
    }

    /// Who runs the platform.
    pub(super) fn platform(&self) -> Caller {
        self.caller(None, SystemRole::PlatformAdmin)
    }

    /// In the place of a tenant's owner.
    pub(super) fn owner(&self, tenant: TenantId) -> Caller {
        self.caller(Some(tenant), SystemRole::Owner)
    }

    fn caller(&self, scope: Option<TenantId>, role: SystemRole) -> Caller {
        let (subject, session) = (UserId::generate(&self.clock), SessionId::generate(&self.clock));
        Caller {
            scope,
            subject,
            session,
            role,
        }
    }

    /// A call with a JSON body.
    ///
    /// # Errors
    /// The service's own words, when it refuses.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json");
        self.send(caller, request.body(Body::from(body.to_string()))?)
            .await
    }

    /// The same, where only success will do.
    ///
    /// # Errors
    /// The service's own words, when it refuses.
    pub(super) async fn must(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let (status, reply) = self.call(caller, method, path, body).await?;
        if !status.is_success() {
            bail!(
                "{path}: {status}: {}",
                reply["detail"].as_str().unwrap_or("refused")
            );
        }
        Ok(reply)
    }

    /// Any request.
    ///
    /// # Errors
    /// When the answer is not JSON.
    pub(super) async fn send(
        &self,
        caller: &Caller,
        mut request: Request<Body>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        request.extensions_mut().insert(caller.clone());
        let path = request.uri().path().to_owned();
        let owner = self.assembly.apis.iter().find(|api| {
            api.routes
                .iter()
                .any(|route| route.method == request.method().as_str() && same_shape(&route.path, &path))
        });
        let router = owner
            .with_context(|| format!("nobody answers {path}"))?
            .router
            .clone();
        let response = router.oneshot(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        };
        Ok((status, body))
    }

    /// Repeats a call until it succeeds: for what follows from events.
    ///
    /// # Errors
    /// The last refusal, after a minute.
    pub(super) async fn eventually(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let patience = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            match self.must(caller, method.clone(), path, body.clone()).await {
                Err(error) if tokio::time::Instant::now() > patience => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                Ok(reply) => return Ok(reply),
            }
        }
    }
}

/// Whether a path fits a template: as many segments, and those that are no parameter equal.
fn same_shape(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(name, given)| name.starts_with('{') || name == given)
}
