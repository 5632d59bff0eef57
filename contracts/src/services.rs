//! The names of the services.

use plaza_kernel::ServiceName;

/// Users, credentials, sessions, tokens.
pub const IDENTITY: ServiceName = ServiceName::new("identity");
/// Tenants.
pub const TENANCY: ServiceName = ServiceName::new("tenancy");
/// Roles, menus, permissions.
pub const ACCESS: ServiceName = ServiceName::new("access");
/// Everything sent to people.
pub const NOTIFICATION: ServiceName = ServiceName::new("notification");
/// One message to many.
pub const BROADCAST: ServiceName = ServiceName::new("broadcast");

/// The front door: no service, but one that calls them.
pub const GATEWAY: ServiceName = ServiceName::new("gateway");

/// All of them.
pub const ALL: [ServiceName; 5] = [IDENTITY, TENANCY, ACCESS, NOTIFICATION, BROADCAST];
