//! Web: everything HTTP that is the same for every service.
//!
//! Offers     [`Api`] (routes that cannot exist without an access rule), [`Granted`] (the proof of the rule),
//!            strict extractors, [`IfMatch`] and [`OnceJson`], [`ApiError`] (`application/problem+json`), [`server::serve`], health, OpenAPI
//!            and a page to read it with
//! Needs      `kernel`, `crypto` (fingerprints of requests)
//!
//! Read `access.rs` first, then `api.rs`.

mod access;
mod api;
mod body;
pub mod event_stream;
mod extract;
mod fixed;
mod gate;
mod granted;
pub mod health;
mod idempotency;
pub mod openapi;
mod outermost;
mod precondition;
mod problem;
mod reference;
pub mod server;

pub use access::{
    Anyone, Authenticated, Denied, InTenant, Internal, InternalListener, May, MayOrPlatformAdmin, Owner,
    OwnerOrPlatformAdmin, PermissionSource, PlatformAdmin, Rule, RuleText,
};
pub use api::{Api, RouteInfo, RouteLimits, ServiceApi};
pub use body::unreadable_body;
pub use extract::{Json, Multipart, PageParams, Part, Path, Query};
pub use gate::RouteTemplate;
pub use granted::Granted;
pub use idempotency::{OnceHead, OnceJson, OnceParams, OnceUpload, answered};
pub use outermost::outermost;
pub use precondition::{IfMatch, IfMatchParams, Version, etag};
pub use problem::{ApiError, ApiErrors, PreconditionErrors, Problem, code_of, status};
