use plaza_contracts::proto::access::{AssignRoleRequest, ExplainReply, ExplainRequest, ListRolesRequest};
use plaza_contracts::services::ACCESS;
use plaza_kernel::{Caller, SystemRole, TenantId, UserId};
use plaza_testkit::callers;

use crate::stage::{Stage, code};

fn question(tenant: TenantId, user: UserId, permission: &str) -> ExplainRequest {
    let (menu, action) = permission.split_once('.').unwrap();
    ExplainRequest {
        tenant_id: tenant.to_string(),
        user_id: user.to_string(),
        menu: menu.to_owned(),
        action: action.to_owned(),
    }
}

async fn explain(stage: &Stage, tenant: TenantId, user: UserId, permission: &str) -> ExplainReply {
    let question = question(tenant, user, permission);
    stage.rpc().explain(question).await.unwrap().into_inner()
}

/// Names of roles: held, granting.
fn roles(reply: &ExplainReply) -> Vec<(&str, bool, bool)> {
    reply
        .roles
        .iter()
        .map(|role| (role.name.as_str(), role.held, role.grants))
        .collect()
}

#[tokio::test]
async fn what_is_missing_and_who_would_grant_it_is_told() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    // Somebody else's roles are not this member's.
    stage.administrator(tenant).await;
    stage.neighbours.know_tenant(tenant, "active");
    stage.neighbours.know_member(tenant, member, "member", "active");

    let may = explain(&stage, tenant, member, "campaigns.view").await;
    assert_eq!((may.allowed, may.reason.as_str()), (true, "granted"));
    let all_grant = [
        ("Administrator", false, true),
        ("Editor", false, true),
        ("Viewer", true, true),
    ];
    assert_eq!(roles(&may), all_grant);

    let may_not = explain(&stage, tenant, member, "campaigns.send").await;
    assert_eq!((may_not.allowed, may_not.reason.as_str()), (false, "not_granted"));
    assert_eq!(may_not.permission, "campaigns.send");
    assert_eq!(
        roles(&may_not),
        [
            ("Administrator", false, true),
            ("Editor", false, true),
            ("Viewer", true, false)
        ]
    );
    assert_eq!(may_not.version, stage.grants(tenant, member).await.0);
    assert_eq!(
        (
            may_not.tenant_status.as_str(),
            may_not.member_role.as_str(),
            may_not.member_status.as_str(),
            may_not.menu_on
        ),
        ("active", "member", "active", true)
    );

    // What is said follows what is granted, and agrees with the check.
    let editor = may_not.roles[1].role_id.clone();
    let assign = AssignRoleRequest {
        tenant_id: tenant.to_string(),
        role_id: editor,
        user_id: member.to_string(),
    };
    stage.roles().assign_role(assign).await.unwrap();
    let now = explain(&stage, tenant, member, "campaigns.send").await;
    assert_eq!((now.allowed, now.reason.as_str()), (true, "granted"));
    assert!(now.version > may_not.version);
}

#[tokio::test]
async fn the_state_of_tenant_and_member_stands_before_all_roles() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    stage.neighbours.know_tenant(tenant, "active");
    let reason = async |permission: &str| explain(&stage, tenant, member, permission).await.reason;
    assert_eq!(reason("campaigns.view").await, "not_a_member");
    stage.neighbours.know_member(tenant, member, "member", "invited");
    assert_eq!(reason("campaigns.view").await, "member_not_active");
    stage.neighbours.know_member(tenant, member, "owner", "active");
    assert_eq!(reason("users.delete").await, "owner");
    stage.neighbours.know_tenant(tenant, "suspended");
    assert_eq!(reason("users.delete").await, "tenant_closed");
    assert_eq!(reason("no.such").await, "unknown_permission");

    stage.neighbours.know_tenant(tenant, "active");
    stage.neighbours.know_member(tenant, member, "member", "active");
    stage
        .database
        .admin()
        .await
        .execute("DELETE FROM access.menus WHERE menu = 'campaigns'", &[])
        .await
        .unwrap();
    let reply = explain(&stage, tenant, member, "campaigns.view").await;
    assert_eq!(
        (reply.reason.as_str(), reply.menu_on, reply.allowed),
        ("menu_off", false, false)
    );
}

#[tokio::test]
async fn roles_of_another_tenant_explain_nothing() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let member = stage.administrator(tenant).await;
    stage.neighbours.know_tenant(rival, "active");
    stage.neighbours.know_member(rival, member, "member", "active");
    let reply = explain(&stage, rival, member, "users.view").await;
    assert_eq!(reply.reason, "not_granted");
    assert_eq!(roles(&reply), [("Administrator", false, true)]);
    let theirs = stage
        .roles()
        .list_roles(ListRolesRequest {
            tenant_id: rival.to_string(),
            ..ListRolesRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reply.roles[0].role_id, theirs.roles[0].role_id);
}

#[tokio::test]
async fn people_ask_about_themselves_or_may_see_the_roles() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let (member, other) = (
        stage.member(tenant, SystemRole::Member).await,
        stage.member(tenant, SystemRole::Member).await,
    );
    stage.neighbours.know_tenant(tenant, "active");
    stage.neighbours.know_member(tenant, member, "member", "active");
    let person = Caller {
        subject: member,
        ..callers::member(tenant)
    };
    let ask = async |person: &Caller, user| {
        let mut rpc = stage.rpc();
        let asked = rpc.explain(question(tenant, user, "logs.view"));
        stage.for_person(person, asked).await
    };
    ask(&person, member).await.unwrap();
    assert_eq!(code(ask(&person, other).await), "FORBIDDEN");
    ask(&callers::owner(tenant), other).await.unwrap();
    for stranger in [callers::owner(callers::tenant()), callers::platform_admin()] {
        assert_eq!(code(ask(&stranger, other).await), "OTHER_TENANT");
    }
}

#[tokio::test]
async fn without_neighbours_or_ids_there_is_no_explanation() {
    let stage = Stage::open().await;
    let (tenant, user) = (stage.tenant().await, UserId::generate(&stage.clock));
    let mut rpc = stage.rpc();
    let unknown = rpc.explain(question(tenant, user, "logs.view")).await;
    assert_eq!(code(unknown), "TENANT_NOT_FOUND");
    for (tenant_id, user_id) in [("x", user.to_string().as_str()), (&tenant.to_string(), "")] {
        let request = ExplainRequest {
            tenant_id: tenant_id.to_owned(),
            user_id: user_id.to_owned(),
            ..question(tenant, user, "logs.view")
        };
        assert_eq!(code(rpc.explain(request).await), "INVALID_ID");
    }
    stage.neighbours.know_tenant(tenant, "active");
    stage.directory.close();
    stage.directory.host(ACCESS, stage.access.grpc());
    let away = rpc.explain(question(tenant, user, "logs.view")).await;
    assert_eq!(code(away), "SERVICE_UNAVAILABLE");
}
