use std::time::Duration;

use plaza_access::Template;
use plaza_contracts::access::Permissions;
use plaza_contracts::proto::access::access_client::AccessClient;
use plaza_contracts::proto::access::{BatchCheckRequest, CheckRequest};
use plaza_contracts::services::ACCESS;
use plaza_kernel::{Caller, SystemRole};
use plaza_testkit::{callers, eventually};
use plaza_web::PermissionSource;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_user_interface_can_ask_what_the_caller_may_do() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let viewer = Caller {
        subject: member,
        ..callers::member(tenant)
    };
    let client = stage.mounted.as_caller(&viewer);
    let permissions = client.get("/api/v1/auth/permissions").await.assert_ok().value();
    assert_eq!(
        permissions["permissions"],
        json!(["campaigns.view", "templates.view"])
    );
    let menus = client.get("/api/v1/admin/menus").await.assert_ok().value();
    assert_eq!(
        menus["items"],
        json!([{"menu": "campaigns", "actions": ["view"]}, {"menu": "templates", "actions": ["view"]}])
    );
    let owner = stage
        .mounted
        .as_caller(&callers::owner(tenant))
        .get("/api/v1/auth/permissions")
        .await
        .value();
    assert_eq!(
        owner["permissions"].as_array().unwrap().len(),
        plaza_contracts::permissions::CATALOGUE.len()
    );
}

#[tokio::test]
async fn a_check_says_yes_only_to_what_is_granted() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let check = |menu: &str, action: &str| CheckRequest {
        tenant_id: tenant.to_string(),
        user_id: member.to_string(),
        menu: menu.to_owned(),
        action: action.to_owned(),
    };
    let checks = vec![
        check("campaigns", "view"),
        check("campaigns", "send"),
        check("no", "such"),
    ];
    let mut client = AccessClient::new(stage.directory.transport(ACCESS));
    let replies = client
        .batch_check(BatchCheckRequest {
            checks: checks.clone(),
        })
        .await
        .unwrap()
        .into_inner();
    let allowed: Vec<bool> = replies.replies.iter().map(|reply| reply.allowed).collect();
    assert_eq!(allowed, [true, false, false]);
    let many = vec![checks[0].clone(); 101];
    let refused = client
        .batch_check(BatchCheckRequest { checks: many })
        .await
        .unwrap_err();
    assert!(plaza_rpc::RpcError::from(refused).is("TOO_MANY_CHECKS"));
}

#[tokio::test]
async fn a_grant_and_its_end_reach_the_cached_client_within_its_time() {
    let stage = Stage::open().await;
    let tenant = stage.tenant().await;
    let member = stage.member(tenant, SystemRole::Member).await;
    let caller = Caller {
        subject: member,
        ..callers::member(tenant)
    };
    let elsewhere = Permissions::new(stage.directory.transport(ACCESS), stage.clock.clone());
    let may_send = || async { elsewhere.permissions(&caller, tenant).await.unwrap().contains(13) };
    let here = || async {
        stage
            .cached
            .permissions(&caller, tenant)
            .await
            .unwrap()
            .contains(13)
    };
    assert_eq!(
        elsewhere.permissions(&caller, tenant).await.unwrap(),
        Template::Viewer.permissions()
    );
    assert!(!here().await);

    let owner = stage.mounted.as_caller(&callers::owner(tenant));
    let page = owner.get("/api/v1/admin/roles").await.value();
    let editor = page["items"][1]["id"].as_str().unwrap().to_owned();
    let assignments = format!("/api/v1/admin/roles/{editor}/assignments");
    owner.post(&assignments, &json!({"user_id": member})).await;
    assert!(here().await, "the process that made the change sees it at once");
    eventually(Duration::from_secs(3), may_send).await;
    owner.delete(&format!("{assignments}/{member}")).await;
    assert!(!here().await, "the process that made the change sees it at once");
    eventually(Duration::from_secs(3), || async { !may_send().await }).await;
}
