//! The allow-list: every operation that exists for the public, found by method and path, segment by segment. A literal
//! segment is preferred to a parameter, as the services' own routers do it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use http::{HeaderValue, Method};
use plaza_kernel::{Caller, ServiceName, SystemRole};
use plaza_web::RouteInfo;

use crate::error::GatewayError;
use crate::routes_file::Route;
use crate::target::is_needlessly_escaped;
use crate::upstream::{Upstream, Upstreams};

/// The methods that are forwarded at all.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Whether a method is forwarded at all; `TRACE`, `CONNECT` and inventions are not.
pub(crate) fn is_forwarded(method: &Method) -> bool {
    METHODS.contains(method)
}

/// A set of methods, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Methods(u8);

impl Methods {
    fn with(self, method: &Method) -> Self {
        let bit = METHODS.iter().position(|known| known == method);
        Self(self.0 | bit.map_or(0, |bit| 1 << bit))
    }

    /// All that are forwarded.
    pub(crate) fn all() -> Self {
        METHODS.iter().fold(Self::default(), Self::with)
    }

    /// `GET, POST`.
    pub(crate) fn header(self) -> HeaderValue {
        let mut text = String::new();
        for method in METHODS
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, method)| method)
        {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{method}");
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Whom the gateway lets through to an operation. The service still checks the operation's whole rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Everybody. A token is read if it is good, and ignored otherwise.
    Anyone,
    /// Every known caller.
    Known,
    /// Who runs the platform.
    PlatformAdmin,
    /// Callers of these roles.
    Roles(Vec<SystemRole>),
}

impl Admission {
    /// An operation that has a rule replaces the roles of its prefix (a tenant's owner has business under `/admin`),
    /// unless the prefix enforces them; one that is open to anyone is as closed as its prefix.
    fn of(operation: &RouteInfo, route: &Route) -> Self {
        let roles = || Self::Roles(route.roles.clone());
        match operation.access.authenticated {
            true if route.enforce_roles && !route.roles.is_empty() => roles(),
            true if operation.access.text == "platform_admin" => Self::PlatformAdmin,
            true => Self::Known,
            false if !route.auth_required => Self::Anyone,
            false if route.roles.is_empty() => Self::Known,
            false => roles(),
        }
    }

    /// Whether a known caller may pass.
    pub(crate) fn admits(&self, caller: &Caller) -> bool {
        match self {
            Self::Anyone | Self::Known => true,
            Self::PlatformAdmin => caller.is_platform_admin(),
            Self::Roles(roles) => roles.contains(&caller.role),
        }
    }
}

/// One operation that exists for the public.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) info: RouteInfo,
    /// Its path, for the access log and the metrics.
    pub(crate) template: Arc<str>,
    pub(crate) route: usize,
    pub(crate) admission: Admission,
    pub(crate) upstream: Upstream,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) routes: Vec<Route>,
    operations: Vec<Operation>,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
    rest: Option<Box<Node>>,
    operations: HashMap<Method, usize>,
}

/// What is at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    /// The operation for this method.
    Operation(&'a Operation),
    /// Operations for other methods, and the prefix of one of them.
    OtherMethods(Methods, &'a Route),
    /// Nothing.
    Nothing,
}

impl Table {
    pub(crate) fn new(
        routes: Vec<Route>,
        operations: Vec<RouteInfo>,
        upstreams: &Upstreams,
    ) -> Result<Self, GatewayError> {
        let mut table = Self {
            routes,
            operations: Vec::new(),
            root: Node::default(),
        };
        for info in operations {
            let (method, path) = (info.method.clone(), info.path.clone());
            table
                .add(info, upstreams)
                .map_err(|reason| GatewayError::Operation { method, path, reason })?;
        }
        Ok(table)
    }

    fn add(&mut self, info: RouteInfo, upstreams: &Upstreams) -> Result<(), String> {
        let method = Method::from_bytes(info.method.as_bytes())
            .ok()
            .filter(is_forwarded);
        let method = method.ok_or("its method is not one that is forwarded")?;
        // Internal operations have no entry: the public cannot tell them from nothing.
        let is_internal =
            info.access.text == "internal" || info.path.split('/').any(|segment| segment == "internal");
        let Some((at, route)) = self.prefix_of(&info.path).filter(|_| !is_internal) else {
            return Ok(());
        };
        if !route.methods.is_empty() && !route.methods.contains(&method) {
            return Ok(());
        }
        if let Some(service) = route
            .service
            .as_ref()
            .filter(|service| *service != info.service.as_str())
        {
            return Err(format!(
                "belongs to {}, but its prefix {} leads to {service}",
                info.service, route.path
            ));
        }
        let upstream = upstreams
            .get(info.service)
            .ok_or_else(|| no_upstream(info.service))?
            .clone();
        let admission = Admission::of(&info, route);
        let operations = &mut self.root.at(&info.path)?.operations;
        if operations.insert(method, self.operations.len()).is_some() {
            return Err("is declared twice".to_owned());
        }
        self.operations.push(Operation {
            template: info.path.as_str().into(),
            info,
            route: at,
            admission,
            upstream,
        });
        Ok(())
    }

    /// The longest prefix by segments.
    fn prefix_of(&self, path: &str) -> Option<(usize, &Route)> {
        let covers = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let routes = self
            .routes
            .iter()
            .enumerate()
            .filter(|(_, route)| covers(&route.path));
        routes.max_by_key(|(_, route)| route.path.len())
    }

    /// What is at this path for this method. A GET operation answers HEAD too.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        if is_needlessly_escaped(path) {
            return Found::Nothing;
        }
        let Some(node) = path.strip_prefix('/').and_then(|rest| self.root.find(Some(rest))) else {
            return Found::Nothing;
        };
        let of = |method| node.operations.get(method);
        let found = of(method).or_else(|| of(&Method::GET).filter(|_| method == Method::HEAD));
        if let Some(at) = found {
            return Found::Operation(&self.operations[*at]);
        }
        let has_get = node.operations.contains_key(&Method::GET);
        let implied = if has_get {
            Methods::default().with(&Method::HEAD)
        } else {
            Methods::default()
        };
        let methods = node.operations.keys().fold(implied, Methods::with);
        match node.operations.values().next() {
            Some(at) => Found::OtherMethods(methods, &self.routes[self.operations[*at].route]),
            None => Found::Nothing,
        }
    }
}

fn no_upstream(service: ServiceName) -> String {
    format!("there is no upstream for {service}")
}

impl Node {
    /// The node of a template, made if need be.
    fn at(&mut self, template: &str) -> Result<&mut Self, String> {
        let mut node = self;
        for segment in template.split('/').skip(1) {
            node = match segment
                .strip_prefix('{')
                .and_then(|segment| segment.strip_suffix('}'))
            {
                Some(name) if name.starts_with('*') => node.rest.get_or_insert_default(),
                Some(_) => node.parameter.get_or_insert_default(),
                None if segment.contains(['{', '}']) => {
                    return Err("a parameter must be a whole segment".to_owned());
                }
                None => node.literals.entry(segment.to_owned()).or_default(),
            };
        }
        Ok(node)
    }

    /// The node of a path; None stands for its end.
    fn find(&self, path: Option<&str>) -> Option<&Self> {
        let Some(path) = path else {
            return (!self.operations.is_empty()).then_some(self);
        };
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let literal = self.literals.get(segment).and_then(|node| node.find(rest));
        // An empty segment is the trailing slash of an address that has none.
        let parameter = || {
            self.parameter
                .as_ref()
                .filter(|_| !segment.is_empty())
                .and_then(|node| node.find(rest))
        };
        let all_of_it = || self.rest.as_deref().filter(|_| !path.is_empty());
        literal.or_else(parameter).or_else(all_of_it)
    }
}
