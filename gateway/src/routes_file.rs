//! `routes.yaml`: which prefixes exist for the public, and who stands behind them.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use plaza_kernel::SystemRole;
use serde::Deserialize;

use crate::cors::Cors;
use crate::error::GatewayError;

/// What stands in the repository beside this crate's sources.
pub(crate) const BUILT_IN: &str = include_str!("../routes.yaml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    routes: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    target_url: String,
    // Silence means closed.
    #[serde(default = "yes")]
    auth_required: bool,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    enforce_roles: bool,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    body_limit_bytes: Option<u64>,
    #[serde(default)]
    timeout_seconds: Option<u16>,
    #[serde(default)]
    cors_origins: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

/// One prefix and its rules.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    /// The one service that may stand behind it; None for whichever declares the operation.
    pub(crate) service: Option<String>,
    pub(crate) auth_required: bool,
    pub(crate) roles: Vec<SystemRole>,
    pub(crate) enforce_roles: bool,
    /// Empty for all.
    pub(crate) methods: Vec<Method>,
    pub(crate) body_limit: Option<u64>,
    /// How long a service elsewhere may take to begin its answer, if not as long as usual.
    pub(crate) timeout: Option<Duration>,
    pub(crate) cors: Cors,
}

/// Reads the routes. A route without origins of its own gets the usual ones.
pub(crate) fn read(yaml: &str, cors: &Cors) -> Result<Vec<Route>, GatewayError> {
    let file: File = serde_yaml_ng::from_str(yaml)?;
    let mut seen = HashSet::new();
    let mut routes = Vec::with_capacity(file.routes.len());
    for entry in file.routes {
        let path = entry.path.clone();
        let problem = |reason: String| GatewayError::Route {
            path: path.clone(),
            reason,
        };
        if !seen.insert(path.clone()) {
            return Err(problem("stands there twice".to_owned()));
        }
        routes.push(route(entry, cors).map_err(problem)?);
    }
    Ok(routes)
}

fn route(entry: Entry, cors: &Cors) -> Result<Route, String> {
    let is_prefix = entry.path.starts_with('/') && !entry.path.ends_with('/') && !entry.path.contains("//");
    if !is_prefix {
        return Err("begin with a slash, end without one".to_owned());
    }
    Ok(Route {
        service: service(&entry.target_url)?,
        roles: entry
            .roles
            .iter()
            .map(|name| role(name))
            .collect::<Result<_, _>>()?,
        methods: entry
            .methods
            .iter()
            .map(|name| method(name))
            .collect::<Result<_, _>>()?,
        cors: entry
            .cors_origins
            .map_or_else(|| Ok(cors.clone()), |origins| Cors::new(&origins))?,
        path: entry.path,
        auth_required: entry.auth_required,
        enforce_roles: entry.enforce_roles,
        body_limit: entry.body_limit_bytes,
        timeout: timeout(entry.timeout_seconds)?,
    })
}

/// `service:NAME`, or one of the addresses at which earlier configurations expect the services.
fn service(target: &str) -> Result<Option<String>, String> {
    if let Some(name) = target.strip_prefix("service:") {
        return Ok(Some(name.to_owned()));
    }
    let here = target
        .strip_prefix("http://")
        .unwrap_or(target)
        .trim_end_matches('/');
    let ports = ["8081", "8082", "8083"];
    let is_here = here
        .split_once(':')
        .is_some_and(|(host, port)| ["localhost", "127.0.0.1"].contains(&host) && ports.contains(&port));
    let unknown = || {
        format!(
            "`{target}` is neither `service:NAME` nor http://localhost:8081 to 8083 (the hosted services)"
        )
    };
    if is_here { Ok(None) } else { Err(unknown()) }
}

fn timeout(seconds: Option<u16>) -> Result<Option<Duration>, String> {
    match seconds {
        Some(0) => Err("`timeout_seconds` of 0 leaves no time for any answer".to_owned()),
        some => Ok(some.map(|seconds| Duration::from_secs(seconds.into()))),
    }
}

/// `Platform Admin` and `platform_admin` alike: earlier configurations write roles for people.
fn role(name: &str) -> Result<SystemRole, String> {
    let folded = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    folded
        .parse()
        .map_err(|_| format!("`{name}` is not a system role (platform_admin, owner, member, service)"))
}

fn method(name: &str) -> Result<Method, String> {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let upper = name.to_ascii_uppercase();
    let method = Method::from_bytes(upper.as_bytes())
        .ok()
        .filter(|_| known.contains(&upper.as_str()));
    method.ok_or_else(|| {
        format!(
            "`{name}` is not a method that is forwarded ({})",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = r#"
routes:
  - path: "/api/v1/auth"
    target_url: "http://localhost:8081"
    auth_required: false
  - path: "/api/v1/admin"
    target_url: "http://localhost:8082"
    auth_required: true
    roles: ["Platform Admin"]
  - path: "/api/v1/broadcast"
    target_url: "http://localhost:8083"
    auth_required: true
"#;

    fn reason(yaml: &str) -> String {
        format!("{}", read(yaml, &Cors::none()).unwrap_err())
    }

    #[test]
    fn an_earlier_configuration_loads_unchanged() {
        let routes = read(EARLIER, &Cors::none()).unwrap();
        let paths: Vec<&str> = routes.iter().map(|route| route.path.as_str()).collect();
        assert_eq!(paths, ["/api/v1/auth", "/api/v1/admin", "/api/v1/broadcast"]);
        assert_eq!(routes[1].roles, [SystemRole::PlatformAdmin]);
        assert!(!routes[0].auth_required && routes[2].auth_required);
    }

    #[test]
    fn the_built_in_routes_load() {
        assert!(read(BUILT_IN, &Cors::none()).unwrap().len() >= 7);
    }

    #[test]
    fn silence_means_closed() {
        let routes = read(
            "routes: [{path: /a, target_url: 'service:identity'}]",
            &Cors::none(),
        )
        .unwrap();
        assert!(routes[0].auth_required);
    }

    #[test]
    fn mistakes_are_named() {
        let route = |rest: &str| {
            reason(&format!(
                "routes: [{{path: /a, target_url: 'service:x', {rest}}}]"
            ))
        };
        assert!(route("roles: [Tenant King]").contains("Tenant King"));
        assert!(route("methods: [TRACE]").contains("TRACE"));
        assert!(route("cors_origins: ['*']").contains('*'));
        assert!(route("timeout_seconds: 0").contains("timeout_seconds"));
        assert!(reason("routes: [{path: /a, target_url: 'http://evil.example'}]").contains("evil.example"));
        assert!(reason("routes: [{path: a/, target_url: 'service:x'}]").contains("slash"));
        assert!(
            reason("routes: [{path: /a, target_url: 'service:x'}, {path: /a, target_url: 'service:x'}]")
                .contains("twice")
        );
        assert!(
            read(
                "routes: [{path: /a, target_url: 'service:x', auth: false}]",
                &Cors::none()
            )
            .is_err()
        );
    }
}
