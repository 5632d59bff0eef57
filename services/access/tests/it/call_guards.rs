//! The gRPC door has the guards of the HTTP door, for whomever a call passes on.

use plaza_contracts::proto::access::{
    AssignRoleRequest, BatchCheckRequest, CheckRequest, CreateRoleRequest, DeleteRoleRequest, GrantsRequest,
    ListAssignmentsRequest, ListMenusRequest, ListPermissionsRequest, ListRolesRequest, UnassignRoleRequest,
};
use plaza_kernel::{Caller, SystemRole, UserId};
use plaza_testkit::callers;

use crate::role_calls::{role_id, roles_of, sales};
use crate::stage::{Stage, code};

#[tokio::test]
async fn a_person_does_over_grpc_no_more_than_over_http() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let other = stage.member(tenant, SystemRole::Member).await;
    let person = Caller {
        subject: member,
        ..callers::member(tenant)
    };
    let (roles, viewer) = (stage.roles(), role_id(&stage, tenant, "Viewer").await);
    let assign = |role: &str, user: UserId| AssignRoleRequest {
        tenant_id: tenant.to_string(),
        role_id: role.to_owned(),
        user_id: user.to_string(),
    };

    // A viewer may see what they hold, and that is all.
    let mine = ListRolesRequest {
        user_id: member.to_string(),
        ..roles_of(tenant)
    };
    let found = stage
        .for_person(&person, roles.clone().list_roles(mine))
        .await
        .unwrap();
    assert_eq!(found.into_inner().roles[0].name, "Viewer");
    let theirs = ListPermissionsRequest {
        tenant_id: tenant.to_string(),
        user_id: other.to_string(),
    };
    let all = stage
        .for_person(&person, roles.clone().list_roles(roles_of(tenant)))
        .await;
    assert_eq!(code(all), "FORBIDDEN");
    let theirs = stage
        .for_person(&person, roles.clone().list_permissions(theirs))
        .await;
    assert_eq!(code(theirs), "FORBIDDEN");
    let make = stage
        .for_person(&person, roles.clone().create_role(sales(tenant, &[])))
        .await;
    assert_eq!(code(make), "FORBIDDEN");
    let give = stage
        .for_person(&person, roles.clone().assign_role(assign(&viewer, other)))
        .await;
    assert_eq!(code(give), "FORBIDDEN");

    // Who may hand out roles hands out no more than they hold, and nothing to themselves.
    let clerk = sales(tenant, &["roles.assign", "roles.create"]);
    let clerk = roles.clone().create_role(clerk).await.unwrap().into_inner();
    roles
        .clone()
        .assign_role(assign(&clerk.role_id, member))
        .await
        .unwrap();
    let admin = role_id(&stage, tenant, "Administrator").await;
    for (role, user) in [(&admin, other), (&viewer, member)] {
        let give = stage
            .for_person(&person, roles.clone().assign_role(assign(role, user)))
            .await;
        assert_eq!(code(give), "GRANTS_TOO_MUCH");
    }
    let mut more = sales(tenant, &["senders.manage"]);
    more.name = "More".to_owned();
    let make = stage.for_person(&person, roles.clone().create_role(more)).await;
    assert_eq!(code(make), "GRANTS_TOO_MUCH");
    stage
        .for_person(&person, roles.clone().assign_role(assign(&clerk.role_id, other)))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_granted_to_others_is_told_to_who_may_see_roles() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let (member, other) = (
        stage.member(tenant, SystemRole::Member).await,
        stage.member(tenant, SystemRole::Member).await,
    );
    let person = Caller {
        subject: member,
        ..callers::member(tenant)
    };
    let ask = async |person: &Caller, user: UserId| {
        let (tenant_id, user_id) = (tenant.to_string(), user.to_string());
        let check = CheckRequest {
            tenant_id: tenant_id.clone(),
            user_id: user_id.clone(),
            menu: "campaigns".to_owned(),
            action: "view".to_owned(),
        };
        let checks = vec![check.clone()];
        let mut rpc = stage.rpc();
        let grants = rpc.grants(GrantsRequest { tenant_id, user_id });
        let grants = stage.for_person(person, grants).await.map(drop);
        let one = stage.for_person(person, rpc.check(check)).await.map(drop);
        let all = rpc.batch_check(BatchCheckRequest { checks });
        let all = stage.for_person(person, all).await.map(drop);
        [grants, one, all]
    };
    for about in [member, other] {
        for answer in ask(&callers::owner(tenant), about).await {
            answer.unwrap();
        }
    }
    for answer in ask(&person, member).await {
        answer.unwrap();
    }
    for answer in ask(&person, other).await {
        assert_eq!(code(answer), "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_person_works_in_their_own_tenant_only() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let owner = callers::owner(rival);
    let viewer = role_id(&stage, tenant, "Viewer").await;
    // Said of a tenant that exists and of one that does not alike.
    for about in [tenant, callers::tenant()] {
        for person in [&owner, &callers::platform_admin()] {
            let list = stage
                .for_person(person, stage.roles().list_roles(roles_of(about)))
                .await;
            assert_eq!(code(list), "OTHER_TENANT");
            let delete = DeleteRoleRequest {
                tenant_id: about.to_string(),
                role_id: viewer.clone(),
            };
            let delete = stage.for_person(person, stage.roles().delete_role(delete)).await;
            assert_eq!(code(delete), "OTHER_TENANT");
        }
    }
}

#[tokio::test]
async fn another_tenants_role_is_not_found() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let theirs = role_id(&stage, rival, "Viewer").await;
    let user = UserId::generate(&stage.clock).to_string();
    let tenant_id = tenant.to_string();
    for role_id in [theirs, callers::tenant().to_string()] {
        let delete = DeleteRoleRequest {
            tenant_id: tenant_id.clone(),
            role_id: role_id.clone(),
        };
        let assign = AssignRoleRequest {
            tenant_id: tenant_id.clone(),
            role_id: role_id.clone(),
            user_id: user.clone(),
        };
        let unassign = UnassignRoleRequest {
            tenant_id: tenant_id.clone(),
            role_id: role_id.clone(),
            user_id: user.clone(),
        };
        let list = ListAssignmentsRequest {
            tenant_id: tenant_id.clone(),
            role_id,
            ..ListAssignmentsRequest::default()
        };
        assert_eq!(code(stage.roles().delete_role(delete).await), "ROLE_NOT_FOUND");
        assert_eq!(code(stage.roles().assign_role(assign).await), "ROLE_NOT_FOUND");
        assert_eq!(
            code(stage.roles().unassign_role(unassign).await),
            "ROLE_NOT_FOUND"
        );
        assert_eq!(code(stage.roles().list_assignments(list).await), "ROLE_NOT_FOUND");
    }
}

#[tokio::test]
async fn what_is_no_id_is_told_by_its_field() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await.to_string();
    let (good, bad) = (callers::tenant().to_string(), "x".to_owned());
    let mut roles = stage.roles();
    for (tenant_id, role_id, user_id, field) in [
        (&bad, &good, &good, "/tenant_id"),
        (&tenant, &bad, &good, "/role_id"),
        (&tenant, &good, &bad, "/user_id"),
    ] {
        let (tenant_id, role_id, user_id) = (tenant_id.clone(), role_id.clone(), user_id.clone());
        let assign = AssignRoleRequest {
            tenant_id: tenant_id.clone(),
            role_id: role_id.clone(),
            user_id: user_id.clone(),
        };
        let unassign = UnassignRoleRequest {
            tenant_id,
            role_id,
            user_id,
        };
        for refused in [
            roles.assign_role(assign).await.map(drop),
            roles.unassign_role(unassign).await.map(drop),
        ] {
            let status = refused.unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            let error = plaza_rpc::RpcError::from(status);
            let fields = plaza_kernel::Failure::fields(&error);
            assert_eq!(
                (fields[0].pointer.as_str(), fields[0].code.as_str()),
                (field, "INVALID_ID")
            );
        }
    }
    let delete = DeleteRoleRequest {
        tenant_id: tenant.clone(),
        role_id: bad.clone(),
    };
    let assignments = ListAssignmentsRequest {
        tenant_id: tenant.clone(),
        role_id: bad.clone(),
        ..ListAssignmentsRequest::default()
    };
    let permissions = ListPermissionsRequest {
        tenant_id: tenant.clone(),
        user_id: bad.clone(),
    };
    let of_member = ListRolesRequest {
        tenant_id: tenant,
        user_id: bad.clone(),
        ..ListRolesRequest::default()
    };
    let menus = ListMenusRequest {
        tenant_id: bad.clone(),
    };
    let make = CreateRoleRequest {
        tenant_id: bad,
        ..CreateRoleRequest::default()
    };
    for refused in [
        code(roles.delete_role(delete).await),
        code(roles.list_assignments(assignments).await),
        code(roles.list_permissions(permissions).await),
        code(roles.list_roles(of_member).await),
        code(roles.list_menus(menus).await),
        code(roles.create_role(make).await),
    ] {
        assert_eq!(refused, "INVALID_ID");
    }
}
