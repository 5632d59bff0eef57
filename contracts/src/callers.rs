//! Which service may make which call. The callee keeps to it, whatever the transport; a call that is not here may be
//! made by nobody.
//!
//! Internal HTTP operations have a table of their own: [`HTTP_CALLERS`].
//!
//! A call that passes on a person has that person's rights, one that does not has all rights of a service by itself. So a
//! row names those whose code makes the call, and nobody else: whoever writes the first call of a method adds the caller
//! here. A test compares the rows with the code.

use std::collections::HashMap;
use std::sync::LazyLock;

use plaza_kernel::ServiceName;

use crate::services::{ACCESS, ALL, BROADCAST, GATEWAY, IDENTITY, TENANCY};

/// Whoever has an HTTP API asks what a member may do.
const SERVICES: &[ServiceName] = &ALL;
/// Offered, and asked for by no service yet.
const NOBODY: &[ServiceName] = &[];

/// Every method, and who may call it.
pub const CALLERS: &[(&str, &[ServiceName])] = &[
    ("/plaza.access.v1.Access/BatchCheck", NOBODY),
    ("/plaza.access.v1.Access/Check", NOBODY),
    ("/plaza.access.v1.Access/Explain", NOBODY),
    ("/plaza.access.v1.Access/Grants", SERVICES),
    ("/plaza.access.v1.Access/Version", SERVICES),
    ("/plaza.access.v1.Roles/AssignRole", NOBODY),
    ("/plaza.access.v1.Roles/CreateRole", NOBODY),
    ("/plaza.access.v1.Roles/DeleteRole", NOBODY),
    ("/plaza.access.v1.Roles/ListAssignments", NOBODY),
    ("/plaza.access.v1.Roles/ListMenus", NOBODY),
    ("/plaza.access.v1.Roles/ListPermissions", NOBODY),
    ("/plaza.access.v1.Roles/ListRoles", NOBODY),
    ("/plaza.access.v1.Roles/UnassignRole", NOBODY),
    ("/plaza.broadcast.v1.Audit/List", &[ACCESS]),
    ("/plaza.broadcast.v1.Audit/Verify", &[ACCESS]),
    ("/plaza.broadcast.v1.Broadcast/CreateCampaign", NOBODY),
    ("/plaza.broadcast.v1.Broadcast/GetCampaign", NOBODY),
    ("/plaza.broadcast.v1.Broadcast/ListCampaigns", &[TENANCY]),
    ("/plaza.broadcast.v1.Broadcast/ListLog", NOBODY),
    ("/plaza.broadcast.v1.Broadcast/ListPlan", NOBODY),
    ("/plaza.broadcast.v1.Broadcast/SendCampaign", NOBODY),
    ("/plaza.broadcast.v1.Imports/GetImport", NOBODY),
    ("/plaza.broadcast.v1.Imports/ListImportErrors", NOBODY),
    ("/plaza.broadcast.v1.Imports/ListImports", NOBODY),
    ("/plaza.broadcast.v1.Recipients/AddRecipient", NOBODY),
    ("/plaza.broadcast.v1.Recipients/DeleteRecipient", NOBODY),
    ("/plaza.broadcast.v1.Recipients/GetRecipient", NOBODY),
    ("/plaza.broadcast.v1.Recipients/ListRecipients", NOBODY),
    ("/plaza.broadcast.v1.Templates/CreateTemplate", NOBODY),
    ("/plaza.broadcast.v1.Templates/GetTemplate", NOBODY),
    ("/plaza.broadcast.v1.Templates/ListTemplates", NOBODY),
    ("/plaza.identity.v1.Accounts/LogIn", NOBODY),
    ("/plaza.identity.v1.Accounts/Refresh", NOBODY),
    ("/plaza.identity.v1.Accounts/Register", NOBODY),
    ("/plaza.identity.v1.Accounts/SetUp", NOBODY),
    ("/plaza.identity.v1.Accounts/WhoAmI", NOBODY),
    ("/plaza.identity.v1.Audit/List", &[ACCESS]),
    ("/plaza.identity.v1.Audit/Verify", &[ACCESS]),
    ("/plaza.identity.v1.Identity/CheckSession", &[GATEWAY]),
    ("/plaza.identity.v1.Identity/CreateOwnerLink", &[TENANCY]),
    ("/plaza.identity.v1.Identity/GetMember", &[ACCESS]),
    ("/plaza.identity.v1.Identity/SigningKeys", &[GATEWAY]),
    ("/plaza.identity.v1.Members/FindMember", NOBODY),
    ("/plaza.identity.v1.Members/InviteMember", NOBODY),
    ("/plaza.identity.v1.Members/ListMembers", &[TENANCY]),
    ("/plaza.identity.v1.Sessions/ListSessions", NOBODY),
    ("/plaza.identity.v1.Sessions/RevokeSession", NOBODY),
    ("/plaza.notification.v1.Audit/List", &[ACCESS]),
    ("/plaza.notification.v1.Audit/Verify", &[ACCESS]),
    ("/plaza.notification.v1.Mails/SendMail", &[IDENTITY]),
    ("/plaza.notification.v1.Notification/Cancel", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Counts", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/GetMessage", NOBODY),
    ("/plaza.notification.v1.Notification/Hold", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Messages", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Open", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Receipts", NOBODY),
    ("/plaza.notification.v1.Notification/Release", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Report", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/RetryFailed", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Send", NOBODY),
    ("/plaza.notification.v1.Notification/Sender", &[BROADCAST]),
    ("/plaza.notification.v1.Notification/Suppressed", &[BROADCAST]),
    ("/plaza.notification.v1.Senders/CreateSender", NOBODY),
    ("/plaza.notification.v1.Senders/GetSender", NOBODY),
    ("/plaza.notification.v1.Senders/ListSenders", NOBODY),
    ("/plaza.notification.v1.Senders/RenewSenderToken", NOBODY),
    ("/plaza.notification.v1.Senders/ResumeSender", NOBODY),
    ("/plaza.notification.v1.Suppressions/LiftSuppression", NOBODY),
    ("/plaza.notification.v1.Suppressions/ListSuppressions", NOBODY),
    ("/plaza.notification.v1.Suppressions/Suppress", NOBODY),
    ("/plaza.tenancy.v1.Audit/List", &[ACCESS]),
    ("/plaza.tenancy.v1.Audit/Verify", &[ACCESS]),
    ("/plaza.tenancy.v1.Tenancy/Get", &[GATEWAY, IDENTITY, ACCESS]),
    ("/plaza.tenancy.v1.Tenancy/Resolve", &[GATEWAY, IDENTITY]),
    ("/plaza.tenancy.v1.Tenants/CreateOwnerLink", NOBODY),
    ("/plaza.tenancy.v1.Tenants/CreateTenant", NOBODY),
    ("/plaza.tenancy.v1.Tenants/GetTenant", NOBODY),
    ("/plaza.tenancy.v1.Tenants/ListTenants", NOBODY),
];

/// Every operation of the internal HTTP routes, as method and path template, and which service may ask for it. All others are
/// asked for through the gateway, by people.
pub const HTTP_CALLERS: &[(&str, &[ServiceName])] = &[
    ("POST /api/v1/auth/internal/roles", &[TENANCY]),
    ("POST /api/v1/auth/internal/users", &[TENANCY]),
];

static BY_METHOD: LazyLock<HashMap<&str, &[ServiceName]>> =
    LazyLock::new(|| CALLERS.iter().copied().collect());

/// Whether a service may call a method, named by its path: `/plaza.access.v1.Access/Grants`.
pub fn may_call(method: &str, caller: ServiceName) -> bool {
    BY_METHOD
        .get(method)
        .is_some_and(|callers| callers.contains(&caller))
}

/// Whether a service may ask for an internal HTTP operation, named by its method and path template.
pub fn may_ask(operation: &str, caller: ServiceName) -> bool {
    HTTP_CALLERS
        .iter()
        .any(|(known, callers)| *known == operation && callers.contains(&caller))
}
