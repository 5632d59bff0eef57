//! What travels: a payload with CloudEvents 1.0 attributes.

use chrono::{DateTime, Utc};
use plaza_kernel::{EventId, TenantId};

/// One event on its way. On a broker the body is `payload` and the other fields are headers (CloudEvents 1.0,
/// binary content mode; over AMQP their names have the prefix `cloudEvents_`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `id`.
    pub id: EventId,
    /// `type`: the event's name, `tenant.created`.
    pub name: String,
    /// `x-version`: the version of the payload.
    pub version: u16,
    /// `source`: the service that says so.
    pub source: String,
    /// `tenantid`; none for facts of the platform itself.
    pub tenant: Option<TenantId>,
    /// `partitionkey`: events of one key keep their order.
    pub key: String,
    /// `time`.
    pub at: DateTime<Utc>,
    /// `traceparent`, W3C form.
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
