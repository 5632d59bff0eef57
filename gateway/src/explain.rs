//! Which operation would answer a request, and why. For tests: no command prints it yet.

use std::fmt;

use http::{Method, Uri};

use crate::Gateway;
use crate::hosts::Named;
use crate::table::{Admission, Found, is_forwarded};

/// What the gateway would do with a request, before anybody is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The lines, each one step.
    pub steps: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.steps.join("\n"))
    }
}

impl Gateway {
    /// Explains a request: `GET`, `http://acme.localhost:8080/api/v1/auth/me`.
    pub fn explain(&self, method: &str, url: &str) -> Explanation {
        let mut steps = Vec::new();
        if let Err(reason) = self.explain_into(&mut steps, method, url) {
            steps.push(reason);
        }
        Explanation { steps }
    }

    fn explain_into(&self, steps: &mut Vec<String>, method: &str, url: &str) -> Result<(), String> {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
            .map_err(|_| "not a method".to_owned())?;
        let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        if !is_forwarded(&method) {
            return Err(format!("405: {method} is never forwarded"));
        }
        let host = uri.authority().map_or("localhost", http::uri::Authority::as_str);
        steps.push(match self.hosts().name(host) {
            Ok(Named::Platform) => format!("host {host}: the platform; the token decides about the tenant"),
            Ok(Named::Tenant(slug)) => {
                format!("host {host}: tenant `{slug}`, if it exists; the token has to agree")
            }
            Err(_) => return Err(format!("404 UNKNOWN_HOST or 400: host {host} names nobody")),
        });
        match self.table().find(&method, uri.path()) {
            Found::Nothing => Err(format!("404: no public operation at {}", uri.path())),
            Found::OtherMethods(methods, _) => Err(format!("405: there is {:?} here", methods.header())),
            Found::Operation(operation) => {
                let route = &self.table().routes[operation.route];
                let info = &operation.info;
                steps.push(format!(
                    "route {} (auth_required: {})",
                    route.path, route.auth_required
                ));
                steps.push(format!(
                    "operation {} {} ({}) of {}",
                    info.method, info.path, info.operation, info.service
                ));
                steps.push(format!("gateway admits {}", admitted(&operation.admission)));
                steps.push(format!("service admits {}", info.access.text));
                Ok(())
            }
        }
    }
}

fn admitted(admission: &Admission) -> String {
    match admission {
        Admission::Anyone => "anyone".to_owned(),
        Admission::Known => "every known caller".to_owned(),
        Admission::PlatformAdmin => "platform_admin".to_owned(),
        Admission::Roles(roles) => roles
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}
