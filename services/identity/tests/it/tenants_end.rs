//! What is left in identity of a tenant that was deleted.

use http::StatusCode;
use plaza_contracts::events::TenantDeleted;
use plaza_contracts::services::IDENTITY;
use plaza_kernel::TenantId;
use plaza_messaging::outbox;

use crate::house::{House, Tokens};
use crate::user_update::member;

const ADA: &str = "ada@example.org";

async fn hear_deleted(house: &House, tenant: TenantId, slug: &str) {
    let deleted = TenantDeleted {
        tenant_id: tenant,
        slug: slug.to_owned(),
    };
    let tx = house.database.of(IDENTITY).begin(tenant);
    outbox::append(&tx, &house.clock, &deleted).await.unwrap();
    tx.commit().await.unwrap();
    house.settle().await;
}

fn of(tenant: TenantId, table: &str) -> String {
    format!("SELECT count(*) FROM identity.{table} WHERE tenant_id = '{tenant}'")
}

#[tokio::test]
async fn nobody_belongs_to_a_tenant_that_was_deleted() {
    let house = House::open().await;
    let gone = house.tenant_with_owner("gone", ADA).await;
    let stays = house.tenant("stays", ADA).await;
    let there = Tokens::of(house.log_in_at("gone", ADA).await);
    let here = Tokens::of(house.log_in_at("stays", ADA).await).caller();
    let ben = member(&house, &there.caller(), "gone", "ben@example.org").await;
    house
        .log_in(ADA)
        .await
        .assert_failed(StatusCode::CONFLICT, "TENANT_REQUIRED");

    house.forget_tenant("gone");
    hear_deleted(&house, gone, "gone").await;
    // There is one left, so none has to be named.
    let ada = Tokens::of(house.log_in(ADA).await).caller();
    assert_eq!(ada.tenant(), Some(stays));
    assert!(house.stands(&here).await);
    assert!(!house.stands(&there.caller()).await && !house.stands(&ben).await);
    assert_eq!(house.count(&of(gone, "memberships")).await, 0);
    assert_eq!(house.count(&of(gone, "one_time_tokens")).await, 0);
    let standing = format!("{} AND revoked_at IS NULL", of(gone, "sessions"));
    assert_eq!(house.count(&standing).await, 0);
    assert_eq!(house.count(&of(stays, "memberships")).await, 1);
    // Accounts are people's own.
    assert_eq!(house.count("SELECT count(*) FROM identity.users").await, 2);
    house.database.assert_nothing_unhandled().await;
}

#[tokio::test]
async fn a_tenant_that_is_there_does_not_end_because_somebody_says_so() {
    let house = House::open().await;
    for (slug, status) in [("acme", "active"), ("rival", "deleting")] {
        let tenant = house.tenant(slug, ADA).await;
        house.know_tenant(slug, status);
        hear_deleted(&house, tenant, slug).await;
        assert_eq!(house.count(&of(tenant, "memberships")).await, 1, "{slug}");
    }
    assert_eq!(house.count("SELECT count(*) FROM identity.dead_letters").await, 2);
}
