//! Kernel: the words every part of Plaza shares. No I/O happens here.
//!
//! Offers     typed ids ([`typed_id!`]), [`TenantId`] and [`Scope`], [`Caller`], [`Clock`], [`Kind`] and
//!            [`Failure`], [`Event`], [`topology`], [`Page`], [`Permission`], [`ServiceName`]
//! Needs      nothing of Plaza
//!
//! Read `failure.rs` first: how an error gets its kind and its stable code decides how every verb looks.

mod caller;
mod clock;
mod event;
mod failure;
mod ids;
mod once;
mod page;
mod permission;
mod scope;
mod secret_text;
mod service;
pub mod topology;

pub use caller::{Caller, RequestId, SystemRole, UnknownRole};
pub use clock::{Clock, ManualClock};
pub use event::{Event, EventId, OrderKey};
pub use failure::{Failure, FieldError, Kind, Limits};
pub use ids::{SessionId, UserId};
pub use once::{Answer, OnceKey, OnceRequest};
pub use page::{Cursor, InvalidCursor, Limit, Page, PageQuery};
pub use permission::{Permission, PermissionSet};
pub use scope::{NilTenant, Scope, TenantId};
pub use secret_text::redacted;
pub use service::ServiceName;

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use {postgres_types, serde, utoipa, uuid};

    /// What an id looks like in the OpenAPI document.
    pub fn uuid_schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
            .build()
            .into()
    }
}
