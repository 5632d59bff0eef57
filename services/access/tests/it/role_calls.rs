//! Roles through the gRPC door: the same verbs as over HTTP.

use std::collections::BTreeSet;

use plaza_contracts::permissions::CATALOGUE;
use plaza_contracts::proto::access::{
    AssignRoleRequest, CreateRoleRequest, DeleteRoleRequest, ListAssignmentsRequest, ListMenusRequest,
    ListPermissionsRequest, ListRolesRequest, UnassignRoleRequest,
};
use plaza_kernel::{SystemRole, TenantId};

use crate::stage::{Stage, code};

pub(crate) fn roles_of(tenant: TenantId) -> ListRolesRequest {
    ListRolesRequest {
        tenant_id: tenant.to_string(),
        ..ListRolesRequest::default()
    }
}

pub(crate) async fn role_id(stage: &Stage, tenant: TenantId, name: &str) -> String {
    let page = stage.roles().list_roles(roles_of(tenant)).await.unwrap();
    let roles = page.into_inner().roles;
    roles.into_iter().find(|role| role.name == name).unwrap().role_id
}

pub(crate) fn sales(tenant: TenantId, permissions: &[&str]) -> CreateRoleRequest {
    CreateRoleRequest {
        tenant_id: tenant.to_string(),
        name: "Sales".to_owned(),
        permissions: permissions.iter().map(|&name| name.to_owned()).collect(),
    }
}

#[tokio::test]
async fn a_service_makes_gives_takes_and_removes_a_role() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let made = stage
        .roles()
        .create_role(sales(tenant, &["logs.view"]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((made.name.as_str(), made.template.as_str()), ("Sales", ""));
    assert_eq!(made.permissions, ["logs.view"]);
    chrono::DateTime::parse_from_rfc3339(&made.created_at).unwrap();

    let (before, _) = stage.grants(tenant, member).await;
    let assign = AssignRoleRequest {
        tenant_id: tenant.to_string(),
        role_id: made.role_id.clone(),
        user_id: member.to_string(),
    };
    stage.roles().assign_role(assign).await.unwrap();
    let (after, held) = stage.grants(tenant, member).await;
    assert!(after > before && held.contains(22));
    let permissions = ListPermissionsRequest {
        tenant_id: tenant.to_string(),
        user_id: member.to_string(),
    };
    let listed = stage
        .roles()
        .list_permissions(permissions)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.version, after);
    assert_eq!(
        listed.permissions,
        ["campaigns.view", "templates.view", "logs.view"]
    );

    let unassign = UnassignRoleRequest {
        tenant_id: tenant.to_string(),
        role_id: made.role_id.clone(),
        user_id: member.to_string(),
    };
    stage.roles().unassign_role(unassign).await.unwrap();
    assert!(!stage.grants(tenant, member).await.1.contains(22));
    let delete = DeleteRoleRequest {
        tenant_id: tenant.to_string(),
        role_id: made.role_id,
    };
    stage.roles().delete_role(delete.clone()).await.unwrap();
    let again = stage.roles().delete_role(delete).await;
    assert_eq!(code(again), "ROLE_NOT_FOUND");
}

#[tokio::test]
async fn the_lists_come_in_pages() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let viewer = role_id(&stage, tenant, "Viewer").await;
    let mut members = BTreeSet::new();
    for _ in 0..3 {
        members.insert(stage.member(tenant, SystemRole::Member).await.to_string());
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let request = ListAssignmentsRequest {
            tenant_id: tenant.to_string(),
            role_id: viewer.clone(),
            limit: 2,
            cursor,
        };
        let page = stage
            .roles()
            .list_assignments(request)
            .await
            .unwrap()
            .into_inner();
        assert!((1..=2).contains(&page.assignments.len()));
        seen.extend(page.assignments.into_iter().map(|one| one.user_id));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, Vec::from_iter(members));

    let mut page = roles_of(tenant);
    page.limit = 2;
    let first = stage.roles().list_roles(page.clone()).await.unwrap().into_inner();
    assert_eq!(first.roles.len(), 2);
    page.cursor = first.next_cursor;
    let second = stage.roles().list_roles(page.clone()).await.unwrap().into_inner();
    assert_eq!(
        (second.roles[0].template.as_str(), second.next_cursor.as_str()),
        ("viewer", "")
    );
    for (limit, cursor) in [(201, ""), (2, "rubbish")] {
        let page = ListRolesRequest {
            limit,
            cursor: cursor.to_owned(),
            ..roles_of(tenant)
        };
        assert_eq!(code(stage.roles().list_roles(page).await), "INVALID_PAGE");
    }
}

#[tokio::test]
async fn the_roles_of_one_member_and_the_menus_of_the_tenant_are_listed() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let administrator = stage.administrator(tenant).await;
    stage.member(tenant, SystemRole::Member).await;
    let of_one = ListRolesRequest {
        user_id: administrator.to_string(),
        ..roles_of(tenant)
    };
    let roles = stage.roles().list_roles(of_one).await.unwrap().into_inner().roles;
    let [role, least] = &roles[..] else {
        panic!("{roles:?}")
    };
    assert_eq!(least.template, "viewer");
    assert_eq!(role.template, "administrator");
    assert_eq!(role.permissions.len(), CATALOGUE.len());

    let request = ListMenusRequest {
        tenant_id: tenant.to_string(),
    };
    let menus = stage
        .roles()
        .list_menus(request)
        .await
        .unwrap()
        .into_inner()
        .menus;
    assert_eq!(menus[0].menu, "users");
    assert_eq!(menus[0].actions, ["view", "create", "update", "delete"]);
}

#[tokio::test]
async fn a_role_that_cannot_be_says_which_fields_are_wrong() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let mut request = sales(tenant, &["no.such"]);
    request.name = "Platform Admin".to_owned();
    let refused = stage.roles().create_role(request).await.unwrap_err();
    let error = plaza_rpc::RpcError::from(refused);
    assert!(error.is("INVALID_ROLE"));
    let pointers: Vec<String> = plaza_kernel::Failure::fields(&error)
        .into_iter()
        .map(|field| field.pointer)
        .collect();
    assert_eq!(pointers, ["/name", "/permissions/0"]);
    let viewer = CreateRoleRequest {
        name: "viewer".to_owned(),
        ..sales(tenant, &[])
    };
    assert_eq!(code(stage.roles().create_role(viewer).await), "ROLE_NAME_TAKEN");
}
