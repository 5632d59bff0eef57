//! Health and reflection of a listener.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use plaza_contracts::services::{ACCESS, GATEWAY, IDENTITY, TENANCY};
use plaza_kernel::Clock;
use plaza_rpc::{Directory, Reflection, RpcListener, RpcSettings};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::scene::{REFLECTION, directory, keys};

fn here() -> Directory {
    directory(RpcSettings::default(), &keys())
}

async fn health(listener: &RpcListener, service: &str) -> Result<ServingStatus, Status> {
    let service = service.to_owned();
    let mut client = HealthClient::new(listener.clone());
    let answer = client.check(HealthCheckRequest { service }).await?;
    Ok(answer.into_inner().status())
}

#[tokio::test]
async fn anybody_may_ask_whether_a_service_is_well() {
    let listener = here()
        .service_for_listener(&[TENANCY, IDENTITY], REFLECTION)
        .unwrap();
    let tenancy = ["plaza.tenancy.v1.Tenancy", "plaza.tenancy.v1.Tenants"];
    for name in tenancy {
        assert_eq!(
            health(&listener, name).await.unwrap(),
            ServingStatus::NotServing,
            "before it is ready"
        );
    }
    listener.set_serving(TENANCY, true).await;
    for name in tenancy {
        assert_eq!(health(&listener, name).await.unwrap(), ServingStatus::Serving);
    }
    let identity = health(&listener, "plaza.identity.v1.Identity").await.unwrap();
    assert_eq!(identity, ServingStatus::NotServing);
    let elsewhere = health(&listener, "plaza.access.v1.Access").await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::NotFound);
    listener.set_serving(TENANCY, false).await;
    assert_eq!(
        health(&listener, tenancy[0]).await.unwrap(),
        ServingStatus::NotServing
    );
}

#[tokio::test]
async fn the_whole_is_well_when_every_service_is() {
    let listener = here()
        .service_for_listener(&[TENANCY, IDENTITY], REFLECTION)
        .unwrap();
    assert_eq!(health(&listener, "").await.unwrap(), ServingStatus::NotServing);
    listener.set_serving(TENANCY, true).await;
    assert_eq!(health(&listener, "").await.unwrap(), ServingStatus::NotServing);
    listener.set_serving(IDENTITY, true).await;
    assert_eq!(health(&listener, "").await.unwrap(), ServingStatus::Serving);
    listener.set_serving(TENANCY, false).await;
    assert_eq!(health(&listener, "").await.unwrap(), ServingStatus::NotServing);
}

#[tokio::test]
async fn who_watches_a_health_does_not_hold_up_the_end() {
    let listener = here().service_for_listener(&[TENANCY], REFLECTION).unwrap();
    let request = HealthCheckRequest {
        service: "plaza.tenancy.v1.Tenancy".to_owned(),
    };
    let mut client = HealthClient::new(listener.clone());
    let mut watched = client.watch(request).await.unwrap().into_inner();
    let first = watched.next().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::NotServing);
    listener.set_serving(TENANCY, true).await;
    let second = watched.next().await.unwrap().unwrap();
    assert_eq!(second.status(), ServingStatus::Serving);
    listener.end_watches().await;
    assert!(watched.next().await.is_none());
}

async fn list(listener: &RpcListener, token: Option<&str>) -> Result<BTreeSet<String>, Status> {
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut request = Request::new(futures_util::stream::iter([question]));
    if let Some(token) = token {
        request
            .metadata_mut()
            .insert("x-plaza-internal-token", token.parse().unwrap());
    }
    let mut client = ServerReflectionClient::new(listener.clone());
    let mut answers = client.server_reflection_info(request).await?.into_inner();
    let answer = answers.next().await.unwrap()?.message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}");
    };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}

#[tokio::test]
async fn services_are_described_to_services_only() {
    let listener = here().service_for_listener(&[TENANCY], REFLECTION).unwrap();
    let signer = keys().signer(GATEWAY, Clock::system()).unwrap();
    let token = |audience| signer.token(audience, None, None).to_str().unwrap().to_owned();
    assert_eq!(
        list(&listener, None).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let wrong = list(&listener, Some(&token(ACCESS))).await.unwrap_err();
    assert_eq!(wrong.code(), Code::Unauthenticated);
    let expected = [
        "grpc.reflection.v1.ServerReflection",
        "plaza.tenancy.v1.Audit",
        "plaza.tenancy.v1.Tenancy",
        "plaza.tenancy.v1.Tenants",
    ];
    let expected: BTreeSet<_> = expected.map(str::to_owned).into();
    assert_eq!(list(&listener, Some(&token(TENANCY))).await.unwrap(), expected);
}

#[tokio::test]
async fn services_are_described_to_everybody_where_a_setting_says_so() {
    let open = Reflection {
        without_token: true,
        ..REFLECTION
    };
    let listener = here().service_for_listener(&[TENANCY, ACCESS], open).unwrap();
    let names = list(&listener, None).await.unwrap();
    assert!(names.contains("plaza.access.v1.Access"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("identity")), "{names:?}");
}
