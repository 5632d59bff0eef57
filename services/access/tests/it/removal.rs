//! Who leaves a tenant leaves nothing that they could come back to.

use plaza_access::Template;
use plaza_contracts::events::{MemberRemoved, UserRegistered};
use plaza_kernel::{PermissionSet, SystemRole};
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn who_was_removed_and_comes_back_begins_as_anybody_does() {
    let stage = Stage::open().await;
    let (tenant, elsewhere) = (stage.tenant().await, stage.tenant().await);
    let member = stage.member(tenant, SystemRole::Member).await;
    let stays = stage.member(tenant, SystemRole::Member).await;
    let owner = stage.mounted.as_caller(&plaza_testkit::callers::owner(tenant));
    let list = owner.get("/api/v1/admin/roles").await.value();
    let administrator = list["items"][0]["id"].as_str().unwrap();
    for user in [member, stays] {
        let path = format!("/api/v1/admin/roles/{administrator}/assignments");
        owner.post(&path, &json!({"user_id": user})).await.assert_ok();
    }
    // The same account, in another tenant.
    let registered = |role| UserRegistered {
        user_id: member,
        email: "m@acme.example".to_owned(),
        role,
    };
    stage.hear(elsewhere, &registered(SystemRole::Member)).await;
    stage.settle().await;
    let (before, held) = stage.grants(tenant, member).await;
    assert_eq!(held, Template::Administrator.permissions());

    stage.hear(tenant, &MemberRemoved { user_id: member }).await;
    stage.settle().await;
    let (after, held) = stage.grants(tenant, member).await;
    assert!(after > before, "what is known of grants elsewhere is stale");
    assert_eq!(held, PermissionSet::none());
    assert_eq!(
        stage.grants(tenant, stays).await.1,
        Template::Administrator.permissions()
    );
    assert_eq!(
        stage.grants(elsewhere, member).await.1,
        Template::Viewer.permissions()
    );

    stage.hear(tenant, &registered(SystemRole::Member)).await;
    stage.settle().await;
    assert_eq!(
        stage.grants(tenant, member).await.1,
        Template::Viewer.permissions()
    );
}
