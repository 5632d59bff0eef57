//! Members through the gRPC door: the same verbs, and the same guards for whomever a call passes on.

use plaza_contracts::permissions::{CreateUsers, ViewUsers};
use plaza_contracts::proto::identity::{
    CreateOwnerLinkRequest, FindMemberRequest, GetMemberRequest, InviteMemberRequest, ListMembersRequest,
};
use plaza_kernel::{Caller, Failure, TenantId};
use plaza_rpc::RpcError;
use plaza_testkit::callers;

use crate::house::{House, code};

fn all(tenant: TenantId) -> ListMembersRequest {
    ListMembersRequest {
        tenant_id: tenant.to_string(),
        ..ListMembersRequest::default()
    }
}

pub(crate) fn with_email(tenant: TenantId, email: &str) -> FindMemberRequest {
    FindMemberRequest {
        tenant_id: tenant.to_string(),
        email: email.to_owned(),
    }
}

pub(crate) fn ask_in(tenant: TenantId, email: &str) -> InviteMemberRequest {
    InviteMemberRequest {
        tenant_id: tenant.to_string(),
        email: email.to_owned(),
        name: "Max".to_owned(),
    }
}

#[tokio::test]
async fn the_members_come_in_pages_and_are_found_by_address() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    for number in 0..4 {
        let email = format!("m{number}@example.org");
        house
            .members()
            .invite_member(ask_in(tenant, &email))
            .await
            .unwrap();
    }
    let mut request = all(tenant);
    request.limit = 3;
    let first = house
        .members()
        .list_members(request.clone())
        .await
        .unwrap()
        .into_inner();
    request.cursor = first.next_cursor;
    let second = house.members().list_members(request).await.unwrap().into_inner();
    assert_eq!(second.next_cursor, "");
    let emails: Vec<String> = first
        .members
        .into_iter()
        .chain(second.members)
        .map(|member| member.email)
        .collect();
    assert_eq!(
        emails,
        [
            "ada@example.org",
            "m0@example.org",
            "m1@example.org",
            "m2@example.org",
            "m3@example.org"
        ]
    );
    let found = house
        .members()
        .find_member(with_email(tenant, "M2@Example.org"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (found.email.as_str(), found.status.as_str()),
        ("m2@example.org", "invited")
    );
    for (limit, cursor) in [(201, ""), (2, "rubbish")] {
        let request = ListMembersRequest {
            limit,
            cursor: cursor.to_owned(),
            ..all(tenant)
        };
        assert_eq!(code(house.members().list_members(request).await), "INVALID_PAGE");
    }
}

#[tokio::test]
async fn a_member_of_another_tenant_is_not_found() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let rival = house.tenant_with_owner("rival", "bob@example.org").await;
    let mut members = house.members();
    let bob = with_email(acme, "bob@example.org");
    assert_eq!(code(members.find_member(bob).await), "USER_NOT_FOUND");
    let found = members
        .find_member(with_email(rival, "bob@example.org"))
        .await
        .unwrap()
        .into_inner();
    let bob = GetMemberRequest {
        tenant_id: acme.to_string(),
        user_id: found.user_id,
    };
    assert_eq!(code(house.rpc().get_member(bob).await), "USER_NOT_FOUND");
    let list = members.list_members(all(acme)).await.unwrap().into_inner();
    assert_eq!(list.members.len(), 1);
}

#[tokio::test]
async fn a_person_sees_and_adds_members_by_their_roles_in_their_own_tenant() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let rival = house.tenant_with_owner("rival", "bob@example.org").await;
    let (seer, adder, nobody) = (
        callers::member(acme),
        callers::member(acme),
        callers::member(acme),
    );
    house.access.grant::<ViewUsers>(acme, seer.subject);
    house.access.grant::<CreateUsers>(acme, adder.subject);
    let owner = callers::owner(acme);
    let (see, add) = (
        async |person: &Caller, tenant: TenantId| {
            let mut members = house.members();
            let list = house.for_person(person, members.list_members(all(tenant))).await;
            let email = with_email(tenant, "ada@example.org");
            let found = house.for_person(person, members.find_member(email)).await;
            assert_eq!(list.is_ok(), found.is_ok());
            list.map(drop)
        },
        async |person: &Caller, tenant: TenantId| {
            let mut members = house.members();
            let invite = members.invite_member(ask_in(tenant, "max@example.org"));
            house.for_person(person, invite).await.map(drop)
        },
    );
    see(&seer, acme).await.unwrap();
    see(&owner, acme).await.unwrap();
    assert_eq!(code(see(&adder, acme).await), "FORBIDDEN");
    assert_eq!(code(see(&nobody, acme).await), "FORBIDDEN");
    assert_eq!(code(add(&seer, acme).await), "FORBIDDEN");
    assert_eq!(house.count("SELECT count(*) FROM identity.memberships").await, 2);
    add(&adder, acme).await.unwrap();
    add(&owner, acme).await.unwrap();
    for person in [&owner, &seer, &callers::platform_admin()] {
        assert_eq!(code(see(person, rival).await), "OTHER_TENANT");
        assert_eq!(code(add(person, rival).await), "OTHER_TENANT");
        let get = GetMemberRequest {
            tenant_id: rival.to_string(),
            user_id: owner.subject.to_string(),
        };
        let mut rpc = house.rpc();
        let get = house.for_person(person, rpc.get_member(get)).await;
        assert_eq!(code(get), "OTHER_TENANT");
    }
}

#[tokio::test]
async fn a_person_gets_themselves_or_may_see_users() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    let mut members = house.members();
    let ada = members.find_member(with_email(acme, "ada@example.org")).await;
    let ada = ada.unwrap().into_inner().user_id;
    let get = || GetMemberRequest {
        tenant_id: acme.to_string(),
        user_id: ada.clone(),
    };
    let (seer, nobody) = (callers::member(acme), callers::member(acme));
    house.access.grant::<ViewUsers>(acme, seer.subject);
    let herself = Caller {
        subject: ada.parse().unwrap(),
        ..callers::member(acme)
    };
    let mut rpc = house.rpc();
    for person in [&seer, &herself, &callers::owner(acme)] {
        let found = house.for_person(person, rpc.get_member(get())).await;
        assert_eq!(found.unwrap().into_inner().email, "ada@example.org");
    }
    let refused = house.for_person(&nobody, rpc.get_member(get())).await;
    assert_eq!(code(refused), "FORBIDDEN");
    rpc.get_member(get()).await.unwrap();
}

#[tokio::test]
async fn an_owners_link_is_for_who_runs_the_platform() {
    let house = House::open().await;
    let tenant = house.tenant("acme", "ada@example.org").await;
    let request = || CreateOwnerLinkRequest {
        tenant_id: tenant.to_string(),
    };
    let mut rpc = house.rpc();
    for person in [callers::owner(tenant), callers::member(tenant)] {
        let link = house.for_person(&person, rpc.create_owner_link(request())).await;
        assert_eq!(code(link), "FORBIDDEN");
    }
    let admin = callers::platform_admin();
    house
        .for_person(&admin, rpc.create_owner_link(request()))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_id_no_address_and_no_name_is_refused_by_its_field() {
    let house = House::open().await;
    let tenant = house.tenant_with_owner("acme", "ada@example.org").await;
    let (mut members, mut rpc) = (house.members(), house.rpc());
    let x = || "x".to_owned();
    let list = ListMembersRequest {
        tenant_id: x(),
        ..all(tenant)
    };
    let find = FindMemberRequest {
        tenant_id: x(),
        ..with_email(tenant, "ada@example.org")
    };
    let invite = InviteMemberRequest {
        tenant_id: x(),
        ..ask_in(tenant, "max@example.org")
    };
    let get = GetMemberRequest {
        tenant_id: tenant.to_string(),
        user_id: x(),
    };
    let link = CreateOwnerLinkRequest { tenant_id: x() };
    for (refused, field) in [
        (members.list_members(list).await.map(drop), "/tenant_id"),
        (members.find_member(find).await.map(drop), "/tenant_id"),
        (members.invite_member(invite).await.map(drop), "/tenant_id"),
        (rpc.get_member(get).await.map(drop), "/user_id"),
        (rpc.create_owner_link(link).await.map(drop), "/tenant_id"),
    ] {
        let status = refused.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        let error = RpcError::from(status);
        assert!(error.is("INVALID_ID"));
        assert_eq!(error.fields()[0].pointer, field);
    }
    let find = with_email(tenant, "nobody");
    assert_eq!(code(members.find_member(find).await), "INVALID_EMAIL");
    let invite = InviteMemberRequest {
        name: "a\u{7}b".to_owned(),
        ..ask_in(tenant, "max@example.org")
    };
    assert_eq!(code(members.invite_member(invite).await), "INVALID_NAME");
    let ada = ask_in(tenant, "ada@example.org");
    assert_eq!(code(members.invite_member(ada).await), "USER_EXISTS");
}
