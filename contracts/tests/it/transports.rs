//! The same calls, in process and over a socket: nobody can tell the transports apart.

use std::sync::atomic::Ordering;
use std::time::Duration;

use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_contracts::services::{GATEWAY, TENANCY};
use plaza_kernel::{Failure, Kind, RequestId};
use plaza_rpc::{Carried, RpcError};
use tokio::time::Instant;

use crate::both::{SETTINGS, both};
use crate::scene::{client, directory, keys, resolve};
use crate::stub_tenancy::StubTenancy;

#[tokio::test]
async fn an_answer_arrives() {
    for (way, client) in both().await.ways {
        assert_eq!(resolve(&client, "acme").await.unwrap(), "Acme", "{way}");
    }
}

#[tokio::test]
async fn a_failure_keeps_its_kind_its_code_and_its_public_text() {
    let expected = [
        (
            "missing",
            Kind::NotFound,
            "TENANT_NOT_FOUND",
            "there is no such tenant",
        ),
        ("x", Kind::Invalid, "INVALID_SLUG", "the slug is not acceptable"),
        ("often", Kind::Throttled, "TENANT_THROTTLED", "wait a little"),
        (
            "broken",
            Kind::Internal,
            "DATABASE_ERROR",
            "something went wrong on our side",
        ),
    ];
    for (way, client) in both().await.ways {
        for (slug, kind, code, text) in expected {
            let error = resolve(&client, slug).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (kind, code), "{way}");
            assert_eq!(error.to_string(), text, "{way}");
        }
    }
}

#[tokio::test]
async fn a_failure_keeps_its_fields_and_when_to_try_again() {
    for (way, client) in both().await.ways {
        let fields = resolve(&client, "x").await.unwrap_err().fields();
        assert_eq!(fields.len(), 1, "{way}");
        assert_eq!(fields[0].detail, "at least three letters: äöü", "{way}");
        assert_eq!(
            resolve(&client, "often").await.unwrap_err().retry_after(),
            Some(42),
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_the_work_with_it() {
    let both = both().await;
    for (way, client) in &both.ways {
        let begun = Instant::now();
        let error = resolve(client, "slow").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            "{way}"
        );
        assert!(
            begun.elapsed() < Duration::from_millis(1_600),
            "{way}: {:?}",
            begun.elapsed()
        );
    }
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert_eq!(
        both.stub.finished.load(Ordering::SeqCst),
        0,
        "abandoned work went on"
    );
}

#[tokio::test]
async fn a_caller_may_ask_for_a_shorter_deadline() {
    for (way, client) in both().await.ways {
        let mut request = tonic::Request::new(ResolveRequest {
            slug: "slow".to_owned(),
        });
        request.set_timeout(Duration::from_millis(50));
        let begun = Instant::now();
        let error = RpcError::from(client.clone().resolve(request).await.unwrap_err());
        assert_eq!(error.kind(), Kind::DeadlineExceeded, "{way}");
        assert!(
            begun.elapsed() < Duration::from_millis(500),
            "{way}: {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn a_call_has_no_more_time_than_the_work_that_makes_it() {
    for (way, client) in both().await.ways {
        let deadline = Some(Instant::now() + Duration::from_millis(300));
        let carried = Carried {
            deadline,
            ..Carried::default()
        };
        let left = plaza_rpc::carry(carried, resolve(&client, "deadline"))
            .await
            .unwrap();
        let left: u64 = left.parse().unwrap();
        assert!((1..=300).contains(&left), "{way}: {left}");
    }
}

#[tokio::test]
async fn the_request_id_travels() {
    for (way, client) in both().await.ways {
        let id = RequestId::parse("request-7").unwrap();
        let mut request = tonic::Request::new(ResolveRequest {
            slug: "request".to_owned(),
        });
        request.extensions_mut().insert(id.clone());
        let answer = client.clone().resolve(request).await.unwrap().into_inner();
        assert_eq!(answer.name, "request-7", "{way}: given with the call");

        let carried = Carried {
            request_id: Some(id),
            ..Carried::default()
        };
        let name = plaza_rpc::carry(carried, resolve(&client, "request"))
            .await
            .unwrap();
        assert_eq!(name, "request-7", "{way}: carried by the work");
    }
}

#[tokio::test]
async fn each_hop_has_less_time_than_the_one_before() {
    for (way, client) in both().await.ways {
        let deadline = Some(Instant::now() + Duration::from_millis(800));
        let carried = || Carried {
            deadline,
            ..Carried::default()
        };
        for slug in ["deadline", "next deadline", "next next deadline"] {
            let left = plaza_rpc::carry(carried(), resolve(&client, slug)).await.unwrap();
            let left: u64 = left.parse().unwrap();
            assert!((1..=800).contains(&left), "{way}: {left} ms at {slug}");
        }
        let begun = Instant::now();
        let late = plaza_rpc::carry(carried(), resolve(&client, "next next slow")).await;
        assert_eq!(late.unwrap_err().kind(), Kind::DeadlineExceeded, "{way}");
        assert!(
            begun.elapsed() < Duration::from_millis(1_400),
            "{way}: {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn nothing_that_would_not_cross_a_network_reaches_the_callee() {
    // The stub answers with the request id in its extensions; an empty one must not appear from elsewhere.
    for (way, client) in both().await.ways {
        assert_eq!(resolve(&client, "request").await.unwrap(), "", "{way}");
    }
}

#[tokio::test]
async fn a_question_that_is_too_long_is_refused() {
    for (way, client) in both().await.ways {
        let error = resolve(&client, &"x".repeat(5 << 20)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::TooLarge, "MESSAGE_TOO_LARGE"),
            "{way}"
        );
        assert_eq!(
            resolve(&client, "acme").await.unwrap(),
            "Acme",
            "{way}: the next call goes through"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused() {
    for (way, client) in both().await.ways {
        let error = resolve(&client, "talkative").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::TooLarge, "MESSAGE_TOO_LARGE"),
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_callee_that_panics_fails_one_call() {
    for (way, client) in both().await.ways {
        let error = resolve(&client, "panics").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Internal, "INTERNAL_ERROR"),
            "{way}"
        );
        assert_eq!(
            resolve(&client, "acme").await.unwrap(),
            "Acme",
            "{way}: the next call goes through"
        );
    }
}

#[tokio::test]
async fn a_status_that_is_not_ours_is_unavailable_and_its_text_stays_with_the_callee() {
    for (way, client) in both().await.ways {
        let request = ResolveRequest {
            slug: "raw".to_owned(),
        };
        let status = client.clone().resolve(request).await.unwrap_err();
        assert!(!format!("{status:?}").contains("password"), "{way}: {status:?}");
        let error = RpcError::from(status);
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unavailable, "SERVICE_UNAVAILABLE"),
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_closed_directory_lets_its_services_go() {
    let stub = StubTenancy::default();
    let here = directory(SETTINGS, &keys());
    here.host(TENANCY, stub.routes());
    let client = client(&here, GATEWAY);
    assert!(resolve(&client, "acme").await.is_ok());
    here.close();
    assert_eq!(std::sync::Arc::strong_count(&stub.finished), 1);
    assert_eq!(
        resolve(&client, "acme").await.unwrap_err().kind(),
        Kind::Unavailable
    );
}
