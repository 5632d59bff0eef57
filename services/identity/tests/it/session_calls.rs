//! Sessions through the gRPC door.

use chrono::{DateTime, TimeDelta};
use plaza_contracts::permissions::{UpdateUsers, ViewUsers};
use plaza_contracts::proto::identity::{
    ListSessionsReply, ListSessionsRequest, RevokeSessionRequest, Session,
};
use plaza_kernel::{Caller, Failure};
use plaza_rpc::RpcError;
use plaza_testkit::callers;
use tonic::Status;

use crate::house::{House, Tokens, code};
use crate::user_update::member;

/// The sessions of this person, where they are logged in.
fn of(person: &Caller) -> ListSessionsRequest {
    ListSessionsRequest {
        tenant_id: person.tenant().map(|id| id.to_string()).unwrap_or_default(),
        user_id: person.subject.to_string(),
        ..ListSessionsRequest::default()
    }
}

/// The end of this person's present session.
fn end(person: &Caller) -> RevokeSessionRequest {
    RevokeSessionRequest {
        tenant_id: person.tenant().map(|id| id.to_string()).unwrap_or_default(),
        user_id: person.subject.to_string(),
        session_id: person.session.to_string(),
    }
}

async fn list(house: &House, request: ListSessionsRequest) -> Vec<Session> {
    let reply = house.sessions().list_sessions(request).await.unwrap();
    reply.into_inner().sessions
}

#[tokio::test]
async fn a_session_is_listed_until_it_is_ended() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let began = house.clock.now();
    let first = Tokens::of(house.log_in("ada@example.org").await);
    house.time.advance(TimeDelta::minutes(5));
    Tokens::of(house.refresh(&first.refresh).await);
    let second = Tokens::of(house.log_in("ada@example.org").await).caller();
    let first = first.caller();

    let sessions = list(&house, of(&first)).await;
    let ids: Vec<&str> = sessions.iter().map(|one| one.session_id.as_str()).collect();
    assert_eq!(ids, [first.session.to_string(), second.session.to_string()]);
    // The database keeps microseconds: a little less than the clock said.
    let since =
        |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc() - began + TimeDelta::seconds(1);
    let minutes = |text: &str| since(text).num_minutes();
    assert_eq!(minutes(&sessions[0].created_at), 0);
    assert_eq!(minutes(&sessions[0].refreshed_at), 5);
    assert_eq!(minutes(&sessions[0].expires_at), 30 * 24 * 60);
    assert_eq!(sessions[1].refreshed_at, sessions[1].created_at);

    for _ in 0..2 {
        house.sessions().revoke_session(end(&first)).await.unwrap();
    }
    assert!(!house.stands(&first).await);
    assert!(house.stands(&second).await);
    let because = "SELECT count(*) FROM identity.sessions WHERE revoked_because = 'revoked'";
    assert_eq!(house.count(because).await, 1);
    let left = list(&house, of(&first)).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].session_id, second.session.to_string());

    // Nobody can go on with what was not used for two weeks.
    house.time.advance(TimeDelta::days(15));
    assert_eq!(list(&house, of(&first)).await, []);
}

#[tokio::test]
async fn a_logout_stays_what_it_was_when_the_session_is_ended_again() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    house
        .mounted
        .as_caller(&ada)
        .post("/api/v1/auth/logout", &serde_json::json!({}))
        .await;
    house.sessions().revoke_session(end(&ada)).await.unwrap();
    let because = "SELECT count(*) FROM identity.sessions WHERE revoked_because = 'logout'";
    assert_eq!(house.count(because).await, 1);
}

#[tokio::test]
async fn the_sessions_come_in_pages() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let mut logins = Vec::new();
    for _ in 0..3 {
        logins.push(Tokens::of(house.log_in("ada@example.org").await).caller());
        house.time.advance(TimeDelta::seconds(1));
    }
    let mut request = of(&logins[0]);
    request.limit = 2;
    let page = async |request: ListSessionsRequest| -> ListSessionsReply {
        let reply = house.sessions().list_sessions(request).await.unwrap();
        reply.into_inner()
    };
    let first = page(request.clone()).await;
    request.cursor = first.next_cursor;
    let second = page(request.clone()).await;
    assert_eq!(second.next_cursor, "");
    let seen: Vec<String> = first
        .sessions
        .into_iter()
        .chain(second.sessions)
        .map(|one| one.session_id)
        .collect();
    let expected: Vec<String> = logins.iter().map(|one| one.session.to_string()).collect();
    assert_eq!(seen, expected);
    for (limit, cursor) in [(201, ""), (2, "rubbish")] {
        (request.limit, request.cursor) = (limit, cursor.to_owned());
        let refused = house.sessions().list_sessions(request.clone()).await;
        assert_eq!(code(refused), "INVALID_PAGE");
    }
}

#[tokio::test]
async fn another_tenants_session_and_another_users_are_not_found() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    house.tenant_with_owner("rival", "bob@example.org").await;
    house.administrator("root@example.org").await;
    let (ada, bob, root) = (
        Tokens::of(house.log_in("ada@example.org").await).caller(),
        Tokens::of(house.log_in("bob@example.org").await).caller(),
        Tokens::of(house.log_in("root@example.org").await).caller(),
    );
    for person in [&bob, &root] {
        let elsewhere = RevokeSessionRequest {
            tenant_id: acme.to_string(),
            ..end(person)
        };
        let refused = house.sessions().revoke_session(elsewhere).await;
        assert_eq!(code(refused), "SESSION_NOT_FOUND");
        let listed = ListSessionsRequest {
            tenant_id: acme.to_string(),
            ..of(person)
        };
        assert_eq!(list(&house, listed).await, []);
    }
    let not_theirs = RevokeSessionRequest {
        user_id: bob.subject.to_string(),
        ..end(&ada)
    };
    let refused = house.sessions().revoke_session(not_theirs).await;
    assert_eq!(code(refused), "SESSION_NOT_FOUND");
    for person in [&ada, &bob, &root] {
        assert!(house.stands(person).await);
    }
    assert_eq!(list(&house, of(&root)).await.len(), 1);
    house.sessions().revoke_session(end(&root)).await.unwrap();
    assert!(!house.stands(&root).await);
}

#[tokio::test]
async fn people_end_their_own_sessions_and_others_by_their_roles() {
    let house = House::open().await;
    let acme = house.tenant_with_owner("acme", "ada@example.org").await;
    house.administrator("root@example.org").await;
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let root = Tokens::of(house.log_in("root@example.org").await).caller();
    let (seer, changer) = (callers::member(acme), callers::member(acme));
    house.access.grant::<ViewUsers>(acme, seer.subject);
    house.access.grant::<UpdateUsers>(acme, changer.subject);
    let list = async |person: &Caller, of_whom: &Caller| -> Result<(), Status> {
        let mut sessions = house.sessions();
        let listed = house
            .for_person(person, sessions.list_sessions(of(of_whom)))
            .await;
        listed.map(drop)
    };
    let revoke = async |person: &Caller, of_whom: &Caller| -> Result<(), Status> {
        let mut sessions = house.sessions();
        let revoked = house
            .for_person(person, sessions.revoke_session(end(of_whom)))
            .await;
        revoked.map(drop)
    };
    list(&seer, &ada).await.unwrap();
    assert_eq!(code(revoke(&seer, &ada).await), "FORBIDDEN");
    assert_eq!(code(list(&changer, &ada).await), "FORBIDDEN");
    // One's own need no permission.
    list(&changer, &changer).await.unwrap();
    for stranger in [&callers::owner(callers::tenant()), &root] {
        assert_eq!(code(list(stranger, &ada).await), "OTHER_TENANT");
        assert_eq!(code(revoke(stranger, &ada).await), "OTHER_TENANT");
    }
    // Who owns a tenant does not run the platform.
    assert_eq!(code(list(&ada, &root).await), "FORBIDDEN");
    assert_eq!(code(revoke(&ada, &root).await), "FORBIDDEN");
    list(&root, &root).await.unwrap();
    assert!(house.stands(&ada).await);
    let ben = member(&house, &ada, "acme", "ben@example.org").await;
    revoke(&changer, &ben).await.unwrap();
    assert!(!house.stands(&ben).await);
}

#[tokio::test]
async fn what_is_no_id_is_told_by_its_field() {
    let house = House::open().await;
    let person = callers::member(callers::tenant());
    let x = || "x".to_owned();
    let mut sessions = house.sessions();
    for (field, request) in [
        (
            "/tenant_id",
            RevokeSessionRequest {
                tenant_id: x(),
                ..end(&person)
            },
        ),
        (
            "/user_id",
            RevokeSessionRequest {
                user_id: x(),
                ..end(&person)
            },
        ),
        (
            "/session_id",
            RevokeSessionRequest {
                session_id: x(),
                ..end(&person)
            },
        ),
    ] {
        let status = sessions.revoke_session(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        let error = RpcError::from(status);
        assert_eq!(
            (error.code(), error.fields()[0].pointer.as_str()),
            ("INVALID_ID", field)
        );
    }
    for request in [
        ListSessionsRequest {
            tenant_id: x(),
            ..of(&person)
        },
        ListSessionsRequest {
            user_id: x(),
            ..of(&person)
        },
    ] {
        assert_eq!(code(sessions.list_sessions(request).await), "INVALID_ID");
    }
}

#[tokio::test]
async fn only_owners_revoke_the_sessions_of_owners() {
    let house = House::open().await;
    house.tenant_with_owner("acme", "ada@example.org").await;
    let ada = Tokens::of(house.log_in("ada@example.org").await).caller();
    let ben = member(&house, &ada, "acme", "ben@example.org").await;
    let tenant = ada.tenant().unwrap();
    house.access.grant::<UpdateUsers>(tenant, ben.subject);
    let refused = house
        .for_person(&ben, house.sessions().revoke_session(end(&ada)))
        .await;
    assert_eq!(code(refused), "OWNER_ONLY");
    assert!(house.stands(&ada).await);
    let ended = house
        .for_person(&ada, house.sessions().revoke_session(end(&ben)))
        .await;
    ended.unwrap();
    assert!(!house.stands(&ben).await);
}
