//! Which service may make which call. The callee keeps to it, whatever the transport; a call that is not here may be
//! made by nobody.
//!
//! A call that passes on a person has that person's rights, one that does not has all rights of a service by itself. So
//! what people do through the front door is the gateway's alone, until another service has a reason.

use std::collections::HashMap;
use std::sync::LazyLock;

use plaza_kernel::ServiceName;

use crate::services::{ACCESS, BROADCAST, GATEWAY, IDENTITY, NOTIFICATION, TENANCY};

/// Whoever has an HTTP API asks what a member may do.
const EVERYBODY: &[ServiceName] = &[GATEWAY, IDENTITY, TENANCY, ACCESS, NOTIFICATION, BROADCAST];
const FRONT_DOOR: &[ServiceName] = &[GATEWAY];

/// Every method, and who may call it.
pub const CALLERS: &[(&str, &[ServiceName])] = &[
    ("/plaza.access.v1.Access/BatchCheck", EVERYBODY),
    ("/plaza.access.v1.Access/Check", EVERYBODY),
    ("/plaza.access.v1.Access/Explain", FRONT_DOOR),
    ("/plaza.access.v1.Access/Grants", EVERYBODY),
    ("/plaza.access.v1.Access/Version", EVERYBODY),
    ("/plaza.access.v1.Roles/AssignRole", FRONT_DOOR),
    ("/plaza.access.v1.Roles/CreateRole", FRONT_DOOR),
    ("/plaza.access.v1.Roles/DeleteRole", FRONT_DOOR),
    ("/plaza.access.v1.Roles/ListAssignments", FRONT_DOOR),
    ("/plaza.access.v1.Roles/ListMenus", FRONT_DOOR),
    ("/plaza.access.v1.Roles/ListPermissions", FRONT_DOOR),
    ("/plaza.access.v1.Roles/ListRoles", FRONT_DOOR),
    ("/plaza.access.v1.Roles/UnassignRole", FRONT_DOOR),
    ("/plaza.broadcast.v1.Broadcast/CreateCampaign", FRONT_DOOR),
    ("/plaza.broadcast.v1.Broadcast/GetCampaign", FRONT_DOOR),
    ("/plaza.broadcast.v1.Broadcast/ListCampaigns", FRONT_DOOR),
    ("/plaza.broadcast.v1.Broadcast/ListLog", FRONT_DOOR),
    ("/plaza.broadcast.v1.Broadcast/ListPlan", FRONT_DOOR),
    ("/plaza.broadcast.v1.Broadcast/SendCampaign", FRONT_DOOR),
    ("/plaza.broadcast.v1.Imports/GetImport", FRONT_DOOR),
    ("/plaza.broadcast.v1.Imports/ListImportErrors", FRONT_DOOR),
    ("/plaza.broadcast.v1.Imports/ListImports", FRONT_DOOR),
    ("/plaza.broadcast.v1.Recipients/AddRecipient", FRONT_DOOR),
    ("/plaza.broadcast.v1.Recipients/DeleteRecipient", FRONT_DOOR),
    ("/plaza.broadcast.v1.Recipients/GetRecipient", FRONT_DOOR),
    ("/plaza.broadcast.v1.Recipients/ListRecipients", FRONT_DOOR),
    ("/plaza.broadcast.v1.Templates/CreateTemplate", FRONT_DOOR),
    ("/plaza.broadcast.v1.Templates/GetTemplate", FRONT_DOOR),
    ("/plaza.broadcast.v1.Templates/ListTemplates", FRONT_DOOR),
    ("/plaza.identity.v1.Accounts/LogIn", FRONT_DOOR),
    ("/plaza.identity.v1.Accounts/Refresh", FRONT_DOOR),
    ("/plaza.identity.v1.Accounts/Register", FRONT_DOOR),
    ("/plaza.identity.v1.Accounts/SetUp", FRONT_DOOR),
    ("/plaza.identity.v1.Accounts/WhoAmI", FRONT_DOOR),
    ("/plaza.identity.v1.Identity/CheckSession", FRONT_DOOR),
    ("/plaza.identity.v1.Identity/CreateOwnerLink", &[TENANCY]),
    ("/plaza.identity.v1.Identity/GetMember", &[GATEWAY, ACCESS]),
    ("/plaza.identity.v1.Identity/SigningKeys", FRONT_DOOR),
    ("/plaza.identity.v1.Members/FindMember", FRONT_DOOR),
    ("/plaza.identity.v1.Members/InviteMember", FRONT_DOOR),
    ("/plaza.identity.v1.Members/ListMembers", FRONT_DOOR),
    ("/plaza.identity.v1.Sessions/ListSessions", FRONT_DOOR),
    ("/plaza.identity.v1.Sessions/RevokeSession", FRONT_DOOR),
    (
        "/plaza.notification.v1.Notification/Counts",
        &[GATEWAY, BROADCAST],
    ),
    ("/plaza.notification.v1.Notification/GetMessage", FRONT_DOOR),
    (
        "/plaza.notification.v1.Notification/Messages",
        &[GATEWAY, BROADCAST],
    ),
    ("/plaza.notification.v1.Notification/Open", &[GATEWAY, BROADCAST]),
    ("/plaza.notification.v1.Notification/Receipts", FRONT_DOOR),
    ("/plaza.notification.v1.Notification/Send", &[GATEWAY, BROADCAST]),
    (
        "/plaza.notification.v1.Notification/Sender",
        &[GATEWAY, BROADCAST],
    ),
    (
        "/plaza.notification.v1.Notification/Suppressed",
        &[GATEWAY, BROADCAST],
    ),
    ("/plaza.notification.v1.Senders/CreateSender", FRONT_DOOR),
    ("/plaza.notification.v1.Senders/GetSender", FRONT_DOOR),
    ("/plaza.notification.v1.Senders/ListSenders", FRONT_DOOR),
    ("/plaza.notification.v1.Senders/RenewSenderToken", FRONT_DOOR),
    ("/plaza.notification.v1.Senders/ResumeSender", FRONT_DOOR),
    ("/plaza.notification.v1.Suppressions/LiftSuppression", FRONT_DOOR),
    ("/plaza.notification.v1.Suppressions/ListSuppressions", FRONT_DOOR),
    ("/plaza.notification.v1.Suppressions/Suppress", FRONT_DOOR),
    ("/plaza.tenancy.v1.Tenancy/Get", &[GATEWAY, IDENTITY, ACCESS]),
    ("/plaza.tenancy.v1.Tenancy/Resolve", &[GATEWAY, IDENTITY]),
    ("/plaza.tenancy.v1.Tenants/CreateOwnerLink", FRONT_DOOR),
    ("/plaza.tenancy.v1.Tenants/CreateTenant", FRONT_DOOR),
    ("/plaza.tenancy.v1.Tenants/GetTenant", FRONT_DOOR),
    ("/plaza.tenancy.v1.Tenants/ListTenants", FRONT_DOOR),
];

static BY_METHOD: LazyLock<HashMap<&str, &[ServiceName]>> =
    LazyLock::new(|| CALLERS.iter().copied().collect());

/// Whether a service may call a method, named by its path: `/plaza.access.v1.Access/Grants`.
pub fn may_call(method: &str, caller: ServiceName) -> bool {
    BY_METHOD
        .get(method)
        .is_some_and(|callers| callers.contains(&caller))
}
