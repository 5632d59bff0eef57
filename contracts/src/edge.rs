//! What the gateway tells the services about a request, beside the [`plaza_kernel::Caller`]. In process it travels in
//! the request's extensions, where no client can write.

use plaza_kernel::TenantId;

/// The tenant that the request's host names: `acme.localhost`. Absent on the bare base domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTenant {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name in the host.
    pub slug: String,
}
