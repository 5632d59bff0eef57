//! Who calls, for whom, and in which trace: the same in both transports.

use std::sync::atomic::Ordering;

use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_contracts::services::{GATEWAY, IDENTITY, NOTIFICATION};
use plaza_kernel::{Caller, Clock, Failure, Kind, SystemRole, TenantId};
use plaza_rpc::{Carried, Peer, RpcError, carried, carry, carry_as_service};
use plaza_telemetry::trace;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::both::both;
use crate::scene::resolve;

fn member(clock: &Clock) -> Caller {
    Caller {
        scope: Some(TenantId::generate(clock)),
        subject: clock.uuid().into(),
        session: clock.uuid().into(),
        role: SystemRole::Member,
    }
}

fn working_for(caller: &Caller) -> Carried {
    Carried {
        caller: Some(caller.clone()),
        ..Carried::default()
    }
}

#[tokio::test]
async fn the_callee_knows_who_calls() {
    for (way, client) in both().await.ways {
        assert_eq!(
            resolve(&client, "peer").await.unwrap(),
            "gateway for nobody",
            "{way}"
        );
        let mut request = tonic::Request::new(ResolveRequest {
            slug: "peer".to_owned(),
        });
        request.extensions_mut().insert(Peer {
            service: NOTIFICATION,
            caller: Some(member(&Clock::system())),
        });
        let answer = client.clone().resolve(request).await.unwrap().into_inner();
        assert_eq!(
            answer.name, "gateway for nobody",
            "{way}: whatever the call says of itself"
        );
    }
}

#[tokio::test]
async fn the_person_that_the_work_is_for_travels_from_hop_to_hop() {
    let clock = Clock::system();
    let caller = member(&clock);
    for (way, client) in both().await.ways {
        for (slug, service) in [
            ("peer", GATEWAY),
            ("next peer", IDENTITY),
            ("next next peer", IDENTITY),
        ] {
            let name = plaza_rpc::carry(working_for(&caller), resolve(&client, slug));
            let expected = format!("{service} for {}", caller.subject);
            assert_eq!(name.await.unwrap(), expected, "{way}: {slug}");
        }
    }
}

#[tokio::test]
async fn work_for_a_person_does_not_turn_to_a_person_of_another_tenant() {
    let clock = Clock::system();
    let (one, other) = (member(&clock), member(&clock));
    let colleague = Caller {
        scope: one.scope,
        ..member(&clock)
    };
    for (way, client) in both().await.ways {
        for (inner, expected) in [(&other, &one), (&colleague, &colleague)] {
            // The inner work begins inside the outer one.
            let outer = async { plaza_rpc::carry(working_for(inner), resolve(&client, "peer")).await };
            let name = plaza_rpc::carry(working_for(&one), outer).await.unwrap();
            assert_eq!(name, format!("gateway for {}", expected.subject), "{way}");
        }
    }
}

#[tokio::test]
async fn work_for_a_person_stays_theirs_unless_a_service_says_that_it_acts_by_itself() {
    let person = member(&Clock::system());
    for (way, client) in both().await.ways {
        let theirs = async { carry(Carried::default(), resolve(&client, "peer")).await };
        let theirs = carry(working_for(&person), theirs).await.unwrap();
        assert_eq!(theirs, format!("gateway for {}", person.subject), "{way}");

        // Whatever the service would carry on.
        let own = async { carry_as_service(carried(), resolve(&client, "next peer")).await };
        let own = carry(working_for(&person), own).await.unwrap();
        assert_eq!(own, "identity for nobody", "{way}");
    }
}

#[tokio::test]
async fn a_service_that_may_not_call_is_refused() {
    let both = both().await;
    for (way, client) in &both.uninvited {
        let status = client
            .clone()
            .resolve(ResolveRequest::default())
            .await
            .unwrap_err();
        assert_eq!(status.code(), tonic::Code::PermissionDenied, "{way}");
        let error = RpcError::from(status);
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Forbidden, "CALLER_NOT_ALLOWED"),
            "{way}"
        );
    }
    assert_eq!(
        both.stub.begun.load(Ordering::SeqCst),
        0,
        "the callee never heard of it"
    );
}

#[tokio::test]
async fn one_trace_goes_through_all_hops() {
    let _traced = tracing_subscriber::registry().with(trace::layer()).set_default();
    for (way, client) in both().await.ways {
        let span = tracing::info_span!(target: "plaza_test", "a piece of work");
        let trace = span.in_scope(|| trace::current().unwrap().trace_id());
        for slug in ["trace", "next next trace"] {
            let answered = resolve(&client, slug).instrument(span.clone()).await.unwrap();
            assert_eq!(answered, trace, "{way}: {slug}");
        }
        let other = resolve(&client, "trace").await.unwrap();
        assert!(
            !other.is_empty() && other != trace,
            "{way}: another piece of work"
        );
    }
}
