//! Tenants through the gRPC door: the same verbs, and the same guards for whom a call passes on.

use std::sync::atomic::Ordering;

use plaza_contracts::proto::tenancy::tenants_client::TenantsClient;
use plaza_contracts::proto::tenancy::{
    CreateOwnerLinkRequest, CreateTenantRequest, GetRequest, GetTenantRequest, ListTenantsRequest,
    ResolveRequest, TenantDetails,
};
use plaza_contracts::services::{GATEWAY, TENANCY};
use plaza_kernel::Failure;
use plaza_rpc::RpcError;
use plaza_testkit::callers;
use tonic::{Code, Status};

use crate::stage::Stage;

fn new(slug: &str) -> CreateTenantRequest {
    CreateTenantRequest {
        slug: slug.to_owned(),
        name: "Acme Ltd".to_owned(),
        admin_email: "o@acme.example".to_owned(),
    }
}

fn one(id: &str) -> GetTenantRequest {
    GetTenantRequest {
        tenant_id: id.to_owned(),
    }
}

fn link(id: &str) -> CreateOwnerLinkRequest {
    CreateOwnerLinkRequest {
        tenant_id: id.to_owned(),
    }
}

#[track_caller]
fn code<T>(answer: Result<T, Status>) -> &'static str {
    match answer {
        Ok(_) => panic!("the call was not refused"),
        Err(status) => RpcError::from(status).code(),
    }
}

async fn make(stage: &Stage, slug: &str) -> TenantDetails {
    let made = stage.tenants().create_tenant(new(slug)).await;
    made.unwrap().into_inner()
}

#[tokio::test]
async fn a_service_makes_a_tenant_with_its_event_and_finds_it() {
    let stage = Stage::open().await;
    let made = make(&stage, "acme").await;
    assert_eq!(
        (made.slug.as_str(), made.name.as_str(), made.status.as_str()),
        ("acme", "Acme Ltd", "provisioning")
    );
    let events: i64 = stage
        .database
        .admin()
        .await
        .query_one(
            "SELECT count(*) FROM tenancy.outbox WHERE name = 'tenant.created' AND tenant_id::text = $1",
            &[&made.tenant_id],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(events, 1);

    let found = stage
        .tenants()
        .get_tenant(one(&made.tenant_id))
        .await
        .unwrap()
        .into_inner();
    // The database keeps microseconds.
    let at = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_micros()
    };
    assert_eq!(at(&found.created_at), at(&made.created_at));
    assert_eq!(found.admin_email, "o@acme.example");
    let resolve = ResolveRequest {
        slug: "acme".to_owned(),
    };
    let resolved = stage.rpc().resolve(resolve).await.unwrap().into_inner();
    assert_eq!(resolved.tenant_id, made.tenant_id);
}

#[tokio::test]
async fn what_cannot_be_a_tenant_is_refused_with_its_fields() {
    let stage = Stage::open().await;
    make(&stage, "acme").await;
    assert_eq!(
        code(stage.tenants().create_tenant(new("acme")).await),
        "SLUG_TAKEN"
    );
    let wrong = CreateTenantRequest {
        name: String::new(),
        ..new("WWW")
    };
    let status = stage.tenants().create_tenant(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let error = RpcError::from(status);
    assert!(error.is("INVALID_TENANT"));
    let pointers: Vec<String> = error.fields().into_iter().map(|field| field.pointer).collect();
    assert_eq!(pointers, ["/slug", "/name"]);
}

#[tokio::test]
async fn the_list_comes_in_pages_newest_first() {
    let stage = Stage::open().await;
    for slug in ["one", "two", "three"] {
        make(&stage, slug).await;
    }
    let mut request = ListTenantsRequest {
        limit: 2,
        ..ListTenantsRequest::default()
    };
    let slugs = |tenants: Vec<TenantDetails>| -> Vec<String> {
        tenants.into_iter().map(|tenant| tenant.slug).collect()
    };
    let first = stage
        .tenants()
        .list_tenants(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(slugs(first.tenants), ["three", "two"]);
    request.cursor = first.next_cursor;
    let second = stage.tenants().list_tenants(request).await.unwrap().into_inner();
    assert_eq!(second.next_cursor, "");
    assert_eq!(slugs(second.tenants), ["one"]);
    for (limit, cursor) in [(201, ""), (2, "rubbish")] {
        let request = ListTenantsRequest {
            limit,
            cursor: cursor.to_owned(),
        };
        assert_eq!(code(stage.tenants().list_tenants(request).await), "INVALID_PAGE");
    }
}

#[tokio::test]
async fn a_link_waits_for_the_owner_and_leads_to_the_configured_origin() {
    let stage = Stage::open().await;
    let id = make(&stage, "acme").await.tenant_id;
    let early = stage.tenants().create_owner_link(link(&id)).await;
    assert_eq!(code(early), "OWNER_PENDING");
    stage.owners.store(true, Ordering::Relaxed);
    let made = stage
        .tenants()
        .create_owner_link(link(&id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        made.url,
        format!("https://plaza.example/setup?token=token-of-{id}")
    );
    assert_eq!(made.expires_at, "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn who_does_not_run_the_platform_makes_and_lists_no_tenants() {
    let stage = Stage::open().await;
    let made = make(&stage, "acme").await;
    let id: plaza_kernel::TenantId = made.tenant_id.parse().unwrap();
    stage.owners.store(true, Ordering::Relaxed);
    for person in [callers::owner(id), callers::member(id)] {
        let (mut one, mut two, mut three) = (stage.tenants(), stage.tenants(), stage.tenants());
        let create = stage.for_person(&person, one.create_tenant(new("other"))).await;
        let list = two.list_tenants(ListTenantsRequest::default());
        let list = stage.for_person(&person, list).await;
        let link = three.create_owner_link(link(&made.tenant_id));
        let link = stage.for_person(&person, link).await;
        assert_eq!(
            (code(create), code(list), code(link)),
            ("FORBIDDEN", "FORBIDDEN", "FORBIDDEN")
        );
    }
    let admin = callers::platform_admin();
    let mut tenants = stage.tenants();
    stage
        .for_person(&admin, tenants.create_tenant(new("other")))
        .await
        .unwrap();
    stage
        .for_person(&admin, tenants.create_owner_link(link(&made.tenant_id)))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_owner_gets_their_own_tenant_and_another_one_is_not_found() {
    let stage = Stage::open().await;
    let (mine, theirs) = (make(&stage, "acme").await, make(&stage, "rival").await);
    let id: plaza_kernel::TenantId = mine.tenant_id.parse().unwrap();
    let mut tenants = stage.tenants();
    let owner = callers::owner(id);
    let found = stage
        .for_person(&owner, tenants.get_tenant(one(&mine.tenant_id)))
        .await
        .unwrap();
    assert_eq!(found.into_inner().slug, "acme");
    for id in [theirs.tenant_id.clone(), callers::tenant().to_string()] {
        let foreign = stage.for_person(&owner, tenants.get_tenant(one(&id))).await;
        assert_eq!(code(foreign), "TENANT_NOT_FOUND");
    }
    let member = callers::member(id);
    let member = stage
        .for_person(&member, tenants.get_tenant(one(&mine.tenant_id)))
        .await;
    assert_eq!(code(member), "FORBIDDEN");
    let admin = callers::platform_admin();
    let any = stage
        .for_person(&admin, tenants.get_tenant(one(&theirs.tenant_id)))
        .await
        .unwrap();
    assert_eq!(any.into_inner().slug, "rival");

    // Who is about to log in elsewhere is still in a tenant: that one may be asked for.
    let other = GetRequest {
        tenant_id: theirs.tenant_id,
    };
    let mut rpc = stage.rpc();
    let found = stage.for_person(&owner, rpc.get(other)).await.unwrap();
    assert_eq!(found.into_inner().slug, "rival");
}

#[tokio::test]
async fn the_front_door_asks_for_a_person_or_not_at_all() {
    let stage = Stage::open().await;
    let made = make(&stage, "acme").await;
    let mut tenants = TenantsClient::new(stage.directory.acting_as(GATEWAY).transport(TENANCY));
    let get = tenants.get_tenant(one(&made.tenant_id)).await;
    let create = tenants.create_tenant(new("other")).await;
    let list = tenants.list_tenants(ListTenantsRequest::default()).await;
    let link = tenants.create_owner_link(link(&made.tenant_id)).await;
    for refused in [code(get), code(create), code(list), code(link)] {
        assert_eq!(refused, "UNAUTHENTICATED");
    }
    let admin = callers::platform_admin();
    let found = stage
        .for_person(&admin, tenants.get_tenant(one(&made.tenant_id)))
        .await;
    assert_eq!(found.unwrap().into_inner().slug, "acme");
}

#[tokio::test]
async fn what_is_no_id_or_no_tenant_is_told_apart() {
    let stage = Stage::open().await;
    let nobody = callers::tenant().to_string();
    for (id, expected) in [
        ("x", "INVALID_ID"),
        ("", "INVALID_ID"),
        (nobody.as_str(), "TENANT_NOT_FOUND"),
    ] {
        let get = GetRequest {
            tenant_id: id.to_owned(),
        };
        assert_eq!(code(stage.rpc().get(get).await), expected);
        assert_eq!(code(stage.tenants().get_tenant(one(id)).await), expected);
        assert_eq!(code(stage.tenants().create_owner_link(link(id)).await), expected);
    }
    let get = GetRequest {
        tenant_id: "x".to_owned(),
    };
    let status = stage.rpc().get(get).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}
