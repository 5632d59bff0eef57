//! What no operation is: other methods, other hosts, headers that only the inside may set.

use http::{Method, StatusCode, header};

use super::operations::Operation;
use super::stage::Stage;
use crate::client::{Answer, Api, answer};
use crate::front::Front;

/// Every method that is not documented for a path.
pub(super) async fn other_methods(stage: &Stage, operations: &[Operation]) {
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MOVE",
    ];
    let documented = |path: &str, method: &Method| {
        // HEAD is GET without the body.
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        operations
            .iter()
            .any(|operation| operation.path == path && operation.method == *method)
    };
    let api = &stage.plaza.api();
    for operation in operations {
        let ids: Vec<String> = operation
            .collections()
            .into_iter()
            .map(|name| stage.acmes.of(name))
            .collect();
        for method in methods.map(|method| method.parse::<Method>().unwrap()) {
            if documented(&operation.path, &method) {
                continue;
            }
            for caller in [api, &stage.acme.owner, &stage.actor("platform admin").api] {
                let answered = answer(caller.request(method.clone(), &operation.at(&ids))).await;
                let status = answered.status.as_u16();
                assert!(
                    matches!(status, 404 | 405),
                    "{method} {}: {status} {}",
                    operation.path,
                    answered.text()
                );
            }
        }
    }
}

async fn at_host(api: &Api, operation: &Operation, ids: &[String], host: &str) -> Answer {
    answer(
        api.request(operation.method.clone(), &operation.at(ids))
            .header(header::HOST, host),
    )
    .await
}

/// A tenant's host takes only that tenant's tokens, and no other host is answered at all.
pub(super) async fn hosts(stage: &Stage, operations: &[Operation]) {
    // What the public does not find, it finds under no host.
    for operation in operations.iter().filter(|operation| operation.rule != "internal") {
        let ids: Vec<String> = operation
            .collections()
            .into_iter()
            .map(|name| stage.acmes.of(name))
            .collect();
        if !matches!(operation.rule.as_str(), "anyone" | "signature" | "development") {
            for stranger in [&stage.rival.owner, &stage.actor("platform admin").api] {
                at_host(stranger, operation, &ids, "acme.localhost")
                    .await
                    .assert_failed(403, "TENANT_MISMATCH");
            }
        }
        for host in ["nobody.localhost", "evil.example", "acme.localhost.evil.example"] {
            for caller in [&stage.plaza.api(), &stage.acme.owner] {
                at_host(caller, operation, &ids, host)
                    .await
                    .assert_failed(404, "UNKNOWN_HOST");
            }
        }
    }
    let me = operations.iter().find(|operation| operation.id == "me").unwrap();
    at_host(&stage.acme.owner, me, &[], "acme.localhost").await.ok();
}

/// What a gateway tells its services is not for callers to say.
const TRUSTED: &[&str] = &[
    "X-Tenant-ID",
    "x_tenant_id",
    "X-Tenant",
    "X-User-ID",
    "X-User-Role",
    "X-User-Roles",
    "X-Role",
    "X-Plaza-Tenant",
    "X-Plaza-Role",
    "X-Plaza-User",
    "X-Plaza-Caller",
    "X-Plaza-Client",
    "X-Forwarded-User",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "Forwarded",
    "X-Forwarded-Host",
    "X-Internal",
];

async fn with_headers(stage: &Stage, api: &Api, operation: &Operation, ids: &[String]) -> Answer {
    let mut request = api.request(operation.method.clone(), &operation.at(ids));
    for name in TRUSTED {
        let value = match name.to_ascii_lowercase() {
            name if name.contains("role") => "platform_admin".to_owned(),
            name if name.contains("url") => "/api/v1/admin/tenants".to_owned(),
            name if name.contains("method") => "DELETE".to_owned(),
            name if name.contains("host") => "acme.localhost".to_owned(),
            name if name == "forwarded" => "host=acme.localhost;for=127.0.0.1".to_owned(),
            name if name.contains("internal") => "true".to_owned(),
            name if name.contains("user") => stage.acmes.user.clone(),
            _ => stage.acme.id.clone(),
        };
        request = request.header(*name, value);
    }
    answer(request).await
}

/// Every reading operation, with all of them at once: the answer is the one without.
pub(super) async fn headers(stage: &Stage, operations: &[Operation]) {
    let callers = ["anonymous", "foreign user", "foreign owner", "low role"];
    for operation in operations
        .iter()
        .filter(|operation| operation.method == Method::GET)
    {
        let ids: Vec<String> = operation
            .collections()
            .into_iter()
            .map(|name| stage.acmes.of(name))
            .collect();
        for caller in callers.map(|name| stage.actor(name)) {
            let without = caller.api.get(&operation.at(&ids)).await;
            let with = with_headers(stage, &caller.api, operation, &ids).await;
            let what = format!("{} {}", caller.name, operation.path);
            if operation.path.starts_with("/dev/") {
                // What is for this machine alone takes them for somebody's behind a proxy.
                assert_eq!(with.status, StatusCode::NOT_FOUND, "{what}: {}", with.text());
                continue;
            }
            assert_eq!(with.status, without.status, "{what}: {}", with.text());
            let bare = |answer: &Answer| {
                let mut body = answer.json();
                if let Some(members) = body.as_object_mut() {
                    members.remove("request_id");
                    members.remove("trace_id");
                }
                body
            };
            assert_eq!(bare(&with), bare(&without), "{what}");
        }
    }
}
