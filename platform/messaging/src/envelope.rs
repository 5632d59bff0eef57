//! What travels: a payload with CloudEvents 1.0 attributes.

use chrono::{DateTime, Utc};
use plaza_kernel::{EventId, TenantId};

/// One event on its way. On a broker the body is `payload` and the other fields are headers (CloudEvents 1.0,
/// binary content mode).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `ce-id`.
    pub id: EventId,
    /// `ce-type`: the event's name, `tenant.created`.
    pub name: String,
    /// `ce-dataschema` version.
    pub version: u16,
    /// `ce-source`: the service that says so.
    pub source: String,
    /// `ce-tenantid`; none for facts of the platform itself.
    pub tenant: Option<TenantId>,
    /// `ce-partitionkey`: events of one key keep their order.
    pub key: String,
    /// `ce-time`.
    pub at: DateTime<Utc>,
    /// `ce-traceparent`, W3C form.
    pub traceparent: Option<String>,
    /// The body: JSON.
    pub payload: String,
}

impl Envelope {
    /// What the order is kept within: a key of one tenant. Two tenants may use the same key and never wait for
    /// each other.
    pub fn lane(&self) -> (Option<TenantId>, &str) {
        (self.tenant, &self.key)
    }
}
