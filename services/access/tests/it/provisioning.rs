use plaza_access::Template;
use plaza_contracts::events::{MemberRoleChanged, UserRegistered};
use plaza_contracts::permissions::CATALOGUE;
use plaza_kernel::{Caller, PermissionSet, SystemRole, UserId};
use plaza_testkit::callers;

use crate::stage::{Stage, created};

#[tokio::test]
async fn a_tenant_starts_with_three_roles_however_often_it_is_told() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    // The same fact under another event id: the inbox does not know it, the roles do.
    stage.hear(tenant, &created(tenant)).await;
    stage.settle().await;
    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let page = owner.get("/api/v1/admin/roles").await.assert_ok().value();
    let names: Vec<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Administrator", "Editor", "Viewer"]);
}

#[tokio::test]
async fn a_member_who_comes_before_the_tenant_gets_the_same_role() {
    let stage = Stage::open().await;
    let tenant = callers::tenant();
    let early = stage.member(tenant, SystemRole::Member).await;
    stage.hear(tenant, &created(tenant)).await;
    stage.settle().await;
    let late = stage.member(tenant, SystemRole::Member).await;
    for member in [early, late] {
        assert_eq!(
            stage.grants(tenant, member).await.1,
            Template::Viewer.permissions()
        );
    }
}

#[tokio::test]
async fn an_owner_may_do_everything_without_a_role_and_a_stranger_nothing() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    // Each further one too.
    for _ in 0..2 {
        let owner = stage.member(tenant, SystemRole::Owner).await;
        assert_eq!(stage.grants(tenant, owner).await.1, PermissionSet::none());
        let caller = Caller {
            subject: owner,
            ..callers::owner(tenant)
        };
        let path = "/api/v1/auth/permissions";
        let may = stage
            .mounted
            .as_caller(&caller)
            .get(path)
            .await
            .assert_ok()
            .value();
        assert_eq!(may["permissions"].as_array().unwrap().len(), CATALOGUE.len());
    }
    let administrator = stage.administrator(tenant).await;
    assert_eq!(stage.grants(rival, administrator).await.1, PermissionSet::none());
    assert_eq!(
        stage.grants(callers::tenant(), administrator).await,
        (0, PermissionSet::none())
    );
}

#[tokio::test]
async fn who_runs_the_platform_gets_no_role_in_a_tenant() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let user_id = UserId::generate(&stage.clock);
    let event = UserRegistered {
        user_id,
        email: "p@plaza.example".to_owned(),
        role: SystemRole::PlatformAdmin,
    };
    stage.hear(tenant, &event).await;
    stage.settle().await;
    assert_eq!(stage.grants(tenant, user_id).await.1, PermissionSet::none());
}

#[tokio::test]
async fn a_member_does_not_become_administrator_by_an_event_about_an_owner() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    // Somebody at the broker says it of a member.
    let registered = UserRegistered {
        user_id: member,
        email: "m@acme.example".to_owned(),
        role: SystemRole::Owner,
    };
    stage.hear(tenant, &registered).await;
    let changed = MemberRoleChanged {
        user_id: member,
        role: SystemRole::Owner,
    };
    stage.hear(tenant, &changed).await;
    stage.settle().await;
    assert_eq!(
        stage.grants(tenant, member).await.1,
        Template::Viewer.permissions()
    );
}

#[tokio::test]
async fn who_owns_a_tenant_no_more_is_a_member_as_any_other() {
    let stage = Stage::open().await;
    let (tenant, rival) = (stage.tenant().await, stage.tenant().await);
    let stays = stage.administrator(tenant).await;
    let demoted = |user_id| MemberRoleChanged {
        user_id,
        role: SystemRole::Member,
    };
    // Of a tenant from before: its owner was given the administrator's role.
    let older = stage.administrator(tenant).await;
    let newer = stage.member(tenant, SystemRole::Owner).await;
    let (before, _) = stage.grants(tenant, older).await;
    for owner in [older, newer] {
        stage.hear(tenant, &demoted(owner)).await;
        stage.settle().await;
        let (after, held) = stage.grants(tenant, owner).await;
        assert_eq!(held, Template::Viewer.permissions());
        assert!(after > before, "what is known of grants elsewhere is stale");
    }
    // Nobody else's, and nothing elsewhere.
    stage.hear(rival, &demoted(stays)).await;
    stage.settle().await;
    assert_eq!(
        stage.grants(tenant, stays).await.1,
        Template::Administrator.permissions()
    );
}

#[tokio::test]
async fn what_a_tenant_was_given_is_not_given_again() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let owner = stage.administrator(tenant).await;
    let admin = stage.database.admin().await;
    let off = "DELETE FROM access.menus WHERE menu = 'campaigns'";
    admin.batch_execute(off).await.unwrap();
    let before = stage.grants(tenant, owner).await.1;
    stage.hear(tenant, &created(tenant)).await;
    stage.settle().await;
    assert_eq!(stage.grants(tenant, owner).await.1, before);
    assert_ne!(before, Template::Administrator.permissions());
}
