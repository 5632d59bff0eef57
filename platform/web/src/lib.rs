//! Web: everything HTTP that is the same for every service.
//!
//! Offers     [`Api`] (routes that cannot exist without an access rule), [`Granted`] (the proof of the rule),
//!            strict extractors, [`ApiError`] (`application/problem+json`), [`server::serve`], health, OpenAPI
//!            and a page to read it with
//! Needs      `kernel`
//!
//! Read `access.rs` first, then `api.rs`.

mod access;
mod api;
mod body;
mod extract;
mod fixed;
mod gate;
mod granted;
pub mod health;
pub mod openapi;
mod outermost;
mod problem;
mod reference;
pub mod server;

pub use access::{
    Anyone, Authenticated, Denied, InTenant, Internal, InternalListener, May, Owner, OwnerOrPlatformAdmin,
    PermissionSource, PlatformAdmin, Rule, RuleText,
};
pub use api::{Api, RouteInfo, RouteLimits, ServiceApi};
pub use body::unreadable_body;
pub use extract::{Json, Multipart, PageParams, Part, Path, Query};
pub use gate::RouteTemplate;
pub use granted::Granted;
pub use outermost::outermost;
pub use problem::{ApiError, ApiErrors, Problem, status};
